//! VERS, the version range specifier of package-url.
