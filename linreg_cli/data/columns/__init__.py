"""What a column is: numbers or categories, in memory or on the disk, and columns taken as rows."""
