"""``affectd doctor``: from the libraries to the broker, what works, what does not, and what to do about it."""
