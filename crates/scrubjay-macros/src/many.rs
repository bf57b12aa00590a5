//! What is different of a function of many: `async fn users(ids: &[u64]) -> Result<HashMap<u64, User>, E>`.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, format_ident, quote};
use syn::{Error, FnArg, Ident, ItemFn, Pat, Result, Type};

use crate::{
    expand::Expansion,
    function::{Function, entry_argument, is},
    options::{Absence, Key, Options},
};

/// What a function of many is asked for.
pub(crate) struct Many {
    /// The argument that holds them.
    pub(crate) ids: Ident,
    /// One of them, in a key.
    pub(crate) id: Ident,
    /// Whether `None`s in the map are no values.
    pub(crate) entries: Entries,
}

/// What of a map's entries is the value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entries {
    Values,
    Maybes,
}

/// The code that `#[cached_many]` stands for.
pub(crate) fn cached_many(options: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let options: Options = syn::parse2(options)?;
    let item: ItemFn = syn::parse2(item)?;
    // The map itself is always there.
    let function = Function::new(item, Some(Absence::Value))?;
    let ids = ids(&options, &function)?;
    let id = match &options.key {
        Key::Format(format) => named_in(&format.value(), &function).unwrap_or_else(|| format_ident!("__id")),
        _ => format_ident!("__id"),
    };
    let holds_options = entry_argument(function.inner()).is_some_and(|entry| is(entry, |name| name == "Option"));
    if options.none == Some(Absence::Value) && !holds_options {
        return Err(Error::new_spanned(
            &function.returns,
            "`none = \"value\"` is about maps of Options: an id that is not in the map has no value that could be kept",
        ));
    }
    let entries = if holds_options && options.none != Some(Absence::Value) { Entries::Maybes } else { Entries::Values };
    let expansion = Expansion { function, options, many: Some(Many { ids, id, entries }) };
    expansion.check()?;
    Ok(expansion.code())
}

/// The argument that holds the ids: the one that `keys` names, or the only one.
fn ids(options: &Options, function: &Function) -> Result<Ident> {
    if let Some(keys) = &options.keys {
        if function.arguments.contains(keys) {
            return Ok(keys.clone());
        }
        return Err(Error::new(keys.span(), format!("the function has no argument `{keys}`")));
    }
    let kept: Vec<&Ident> = function.arguments.iter().filter(|argument| !options.skip.contains(argument)).collect();
    match kept[..] {
        [ids] => Ok(ids.clone()),
        _ => Err(Error::new(
            function.item.sig.ident.span(),
            "say which argument holds what is asked for: `keys = \"ids\"`, a slice or a Vec",
        )),
    }
}

/// The first name in braces that is no argument: one of the ids.
fn named_in(format: &str, function: &Function) -> Option<Ident> {
    format.split('{').skip(1).find_map(|rest| {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let name = syn::parse_str::<Ident>(&rest[..end]).ok()?;
        (!function.arguments.contains(&name)).then_some(name)
    })
}

impl Expansion {
    /// How the map is taken apart.
    pub(crate) fn batch(&self, many: &Many) -> TokenStream {
        let map = self.function.value();
        match many.entries {
            Entries::Values => quote!(::scrubjay::__cached::Values<#map>),
            Entries::Maybes => quote!(::scrubjay::__cached::Maybes<#map>),
        }
    }

    /// `__ids` and `__call`, and what it borrows from.
    pub(crate) fn prelude_of_many(&self, Many { ids, id, .. }: &Many, reading: &TokenStream) -> TokenStream {
        let key = self.key();
        let keys = quote! {
            #ids.iter()
                .map(|#id| (#key).map(::scrubjay::__cached::Text::into_string))
                .collect::<::scrubjay::Result<::std::vec::Vec<::std::string::String>>>()
        };
        let prelude = self.prelude_with(&keys, reading);
        quote! {
            let __ids = #ids.to_vec();
            #prelude
        }
    }

    /// The body of a function that asks the cache, and calls what the user wrote with what is missing.
    pub(crate) fn loading_many(&self, many: &Many, reading: &TokenStream) -> TokenStream {
        let (prelude, answer, batch, sharing, keep) = (
            self.prelude_of_many(many, reading),
            self.function.answer(),
            self.batch(many),
            self.sharing(),
            self.keep(),
        );
        let run = self.run_many(many);
        let (load, wait) = if self.function.is_async() {
            (quote!(load_many), quote!(.await))
        } else {
            (quote!(load_many_blocking), quote!())
        };
        quote! {
            #prelude
            ::scrubjay::__cached::#load::<#answer, #batch, _, _, _, _>(__call, __ids, #run, #keep, #sharing) #wait
        }
    }

    /// A closure that runs the function with some ids.
    fn run_many(&self, many: &Many) -> TokenStream {
        let (function, batch) = (&self.function, self.batch(many));
        let borrows = matches!(self.type_of(&many.ids), Some(Type::Reference(_)));
        let others: Vec<&Ident> = function.arguments.iter().filter(|argument| **argument != many.ids).collect();
        // The function may be called more than once, so that its other arguments must be cloned.
        let this = function.receiver.map(|span| Ident::new("self", span));
        let closure = quote!(|__missing: ::std::vec::Vec<<#batch as ::scrubjay::__cached::Batch>::Id>|);
        if self.stands_alone() {
            let (ids, of, block) = (&many.ids, self.type_of(&many.ids), &function.item.block);
            let missing = if borrows { quote!(&__missing) } else { quote!(__missing) };
            let block = quote!({
                #[allow(unused_mut)]
                let mut #ids: #of = #missing;
                #block
            });
            let run = self.run_block(&block, &quote!());
            return quote!(#closure {
                #(#[allow(unused_mut)] let mut #others = ::core::clone::Clone::clone(&#others);)*
                #run
            });
        }
        let (path, uncached, parameters) = (self.path(), self.name("uncached"), function.parameters());
        let arguments = function.arguments.iter().map(|argument| match (*argument == many.ids, borrows) {
            (true, true) => quote!(&__missing),
            (true, false) => quote!(__missing),
            (false, _) => argument.to_token_stream(),
        });
        let own_this = this.as_ref().map(|this| quote!(let __this = ::core::clone::Clone::clone(&#this);));
        let this = this.map(|_| quote!(__this,));
        let call = quote!(#path #uncached::<#(#parameters),*>(#this #(#arguments),*));
        let running =
            if function.is_async() { quote!(async move { #call.await }) } else { quote!(::core::future::ready(#call)) };
        quote!(#closure {
            #own_this
            #(let #others = ::core::clone::Clone::clone(&#others);)*
            #running
        })
    }

    fn type_of(&self, argument: &Ident) -> Option<&Type> {
        self.function.item.sig.inputs.iter().find_map(|input| match input {
            FnArg::Typed(typed) if matches!(&*typed.pat, Pat::Ident(name) if name.ident == *argument) => {
                Some(&*typed.ty)
            }
            _ => None,
        })
    }
}
