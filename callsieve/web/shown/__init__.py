"""What the pages show: frozen dataclasses, made from the store by functions that know of no request."""
