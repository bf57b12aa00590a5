//! The attributes of [scrubjay](https://docs.rs/scrubjay), which re-exports them: use them from there.
//!
//! `options` reads what an attribute says, `function` what it stands on. `expand` writes the code: the function, which becomes a
//! `call` of scrubjay's hidden module, and its `companions`; `many` is what is different of a function of many.

mod call;
mod companions;
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
