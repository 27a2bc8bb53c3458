"""What the pages draw, all with Altair: values in, a chart out."""
