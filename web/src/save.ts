/** Hands a file to the person: through the phone's own dialog, or as a download. */

/** Downloads it. */
export function download(file: File): void {
  const address = URL.createObjectURL(file);
  const link = document.createElement("a");
  link.href = address;
  link.download = file.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** Shares it where the device can; where it cannot, or fails, it is downloaded. A person may also think better of it. */
export async function share(file: File, title: string): Promise<void> {
  const data: ShareData = { files: [file], title };
  if (!("canShare" in navigator && navigator.canShare(data))) return download(file);
  try {
    await navigator.share(data);
  } catch (error) {
    if (!(error instanceof DOMException && error.name === "AbortError")) download(file);
  }
}
