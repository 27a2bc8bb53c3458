"""Draws the app's icon and logo, the sign of app/icon.svg: ``python homeassistant/artwork.py``."""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

APP = Path(__file__).parent / "affectd"
BLUE, ORANGE = "#0072B2", "#D55E00"  # Okabe and Ito, 2008
BARS = ((3.0, 10, 14), (7.5, 6, 18), (12, 3, 21), (16.5, 7, 17), (21, 10, 14))  # x, top, bottom in a square of 24
FINE = 8  # drawn so many times larger, then made smaller: smooth edges


def sign(size: int) -> Image.Image:
    """The five bars on nothing, ``size`` pixels square; the middle one is the word that stands out."""
    picture = Image.new("RGBA", (size * FINE, size * FINE))
    unit = size * FINE / 24
    draw = ImageDraw.Draw(picture)
    for place, (x, top, bottom) in enumerate(BARS):
        box = [(x - 1.3) * unit, (top - 1.3) * unit, (x + 1.3) * unit, (bottom + 1.3) * unit]
        draw.rounded_rectangle(box, 1.3 * unit, fill=ORANGE if place == 2 else BLUE)
    return picture.resize((size, size), Image.Resampling.LANCZOS)


def logo(width: int, height: int) -> Image.Image:
    """The sign, and the name beside it."""
    picture = Image.new("RGBA", (width * FINE, height * FINE))
    font = ImageFont.load_default(size=44 * FINE)
    ImageDraw.Draw(picture).text(
        (92 * FINE, height * FINE / 2), "affectd", font=font, fill=BLUE, anchor="lm", stroke_width=FINE // 2
    )
    picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    picture.alpha_composite(sign(64), (12, (height - 64) // 2))
    return picture


if __name__ == "__main__":
    sign(128).save(APP / "icon.png", optimize=True)
    logo(250, 100).save(APP / "logo.png", optimize=True)
