"""The processes that train one run together, what they give each other, and the canonical parts of the rows."""
