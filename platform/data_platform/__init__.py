"""A data platform that a small team runs whole: evidence in, published tables out."""
