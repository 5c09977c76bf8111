"""What a pass over the rows of a table leaves behind, kept in a file: second moments, levels, extremes, medians."""
