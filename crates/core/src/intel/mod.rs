//! Intelligence: records, facts, problems and the index made of them.
