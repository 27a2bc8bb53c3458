"""The charts of the pages, with Altair: values in, a chart out."""
