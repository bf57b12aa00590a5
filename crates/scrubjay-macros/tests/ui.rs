//! What the attributes say of a function that they cannot be put on. `TRYBUILD=overwrite` writes the expectations anew.

#[test]
fn mistakes_are_explained_where_they_are() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
