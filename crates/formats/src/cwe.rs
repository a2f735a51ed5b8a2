//! The CWE and CAPEC catalogues.
