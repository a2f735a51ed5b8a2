//! Writing vulnerabilities into a document (VDR).
