"""What a caller may say: fields of the constructor, arguments of calls, and headers."""
