"""Sessions in Redis: keys, the document format, the scripts and the async store over them."""
