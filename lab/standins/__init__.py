"""Small programs that take the place of parts that a machine without downloads cannot get."""
