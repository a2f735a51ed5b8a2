//! Behaviour of matching through the public API.
