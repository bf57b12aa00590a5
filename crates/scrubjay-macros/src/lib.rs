//! The attributes of [scrubjay](https://docs.rs/scrubjay), which re-exports them: use them from there.
//!
//! `options` reads what an attribute says, `function` what it stands on, `expand` writes the code: a call of scrubjay's hidden
//! module, and the companions; `many` does so for functions of many.

mod duration;
mod expand;
mod function;
mod many;
mod options;

use proc_macro::TokenStream;

#[expect(missing_docs, reason = "scrubjay documents it, where its examples compile")]
#[proc_macro_attribute]
pub fn cached(options: TokenStream, function: TokenStream) -> TokenStream {
    expand::cached(options.into(), function.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

#[expect(missing_docs, reason = "scrubjay documents it, where its examples compile")]
#[proc_macro_attribute]
pub fn cached_many(options: TokenStream, function: TokenStream) -> TokenStream {
    many::cached_many(options.into(), function.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}
