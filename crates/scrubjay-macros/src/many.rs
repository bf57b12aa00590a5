//! From a function of many and options to code: `async fn users(ids: &[u64]) -> Result<HashMap<u64, User>, E>`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Error, FnArg, Ident, ItemFn, Result, Type};

use crate::{
    expand::{Expansion, Many},
    function::Function,
    options::{Absence, Key, Lifetime, Options, Switch},
};

/// The code that `#[cached_many]` stands for.
pub(crate) fn cached_many(options: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let options: Options = syn::parse2(options)?;
    let item: ItemFn = syn::parse2(item)?;
    refuse(&options, &item)?;
    let function = Function::new(item, Some(Absence::Value))?;
    let ids = ids(&options, &function)?;
    let id = match &options.key {
        Key::Format(format) => named_in(&format.value(), &function).unwrap_or_else(|| format_ident!("__id")),
        _ => format_ident!("__id"),
    };
    let expansion = Expansion { function, options, many: Some(Many { ids, id }) };
    expansion.check()?;
    Ok(expansion.code())
}

/// Refuses what is about one value.
fn refuse(options: &Options, item: &ItemFn) -> Result<()> {
    let name = &item.sig.ident;
    let refused = [
        ("ttl = |value| …", matches!(options.ttl, Some(Lifetime::OfValue(_)))),
        ("unless", options.unless.is_some()),
        ("when", options.when.is_some()),
        ("if_absent", options.if_absent == Switch::On),
        ("refresh", options.refresh.is_some()),
        ("none", options.none.is_some()),
        ("single_flight", options.single_flight.is_some()),
    ];
    match refused.iter().find(|(_, is_given)| *is_given) {
        Some((option, _)) => Err(Error::new(name.span(), format!("`{option}` is an option of `#[cached]` alone"))),
        None => Ok(()),
    }
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
    /// `__call`, and what it borrows from.
    fn prelude_of_many(&self) -> TokenStream {
        let Some(Many { ids, id }) = &self.many else { return quote!() };
        let (map, name) = (self.function.value(), self.function.item.sig.ident.to_string());
        let ((policy, chosen), (owner, namespace)) = (self.policy(), self.namespace());
        let (cache, key, ttl) = (self.cache(), self.key(), self.ttl());
        quote! {
            #policy
            #owner
            #cache
            let __ids = #ids
                .iter()
                .map(|#id| (#key).map(|__key| (__key, ::core::clone::Clone::clone(#id))))
                .collect::<::scrubjay::Result<::std::vec::Vec<_>>>();
            let __call = ::scrubjay::__cached::BatchCall::<#map> {
                function: ::core::concat!(::core::module_path!(), "::", #name),
                cache: __cache,
                ids: __ids,
                namespace: #namespace,
                ttl: #ttl,
                policy: #chosen,
            };
        }
    }

    /// The body of the function: asks the cache, and calls what the user wrote with what is missing.
    pub(crate) fn loading_many(&self) -> TokenStream {
        let Some(Many { ids, .. }) = &self.many else { return quote!() };
        let function = &self.function;
        let prelude = self.prelude_of_many();
        let (answer, map, path, uncached) = (function.answer(), function.value(), self.path(), self.name("uncached"));
        let (parameters, sharing) = (function.parameters(), self.sharing());
        let missing = if self.borrows(ids) { quote!(&__missing) } else { quote!(__missing) };
        let arguments =
            function.arguments.iter().map(|argument| if argument == ids { missing.clone() } else { quote!(#argument) });
        let others: Vec<&Ident> = function.arguments.iter().filter(|argument| *argument != ids).collect();
        let (this, owned) = match function.receiver {
            Some(span) => {
                let this = Ident::new("self", span);
                (Some(quote!(__this,)), Some(quote!(let __this = ::core::clone::Clone::clone(&#this);)))
            }
            None => (None, None),
        };
        let call = quote!(#path #uncached::<#(#parameters),*>(#this #(#arguments),*));
        let (load, types, running, wait) = if function.is_async() {
            (quote!(load_many), quote!(#answer, _, _, _), quote!(async move { #call.await }), quote!(.await))
        } else {
            (quote!(load_many_blocking), quote!(#answer, _, _), call, quote!())
        };
        quote! {
            #prelude
            ::scrubjay::__cached::#load::<#types>(
                __call,
                || #ids.to_vec(),
                |__missing: ::std::vec::Vec<<#map as ::scrubjay::__cached::Batch>::Id>| {
                    #owned
                    #(let #others = ::core::clone::Clone::clone(&#others);)*
                    #running
                },
                #sharing,
            )#wait
        }
    }

    /// What stands beside a function of many.
    pub(crate) fn companions_of_many(&self) -> TokenStream {
        let function = &self.function;
        let (visibility, value, prelude) = (&function.item.vis, self.value(), self.prelude_of_many());
        let (wait, purge, clear) = if function.is_async() {
            (quote!(.await), quote!(purge), quote!(clear))
        } else {
            (quote!(), quote!(purge_blocking), quote!(clear_blocking))
        };
        let purge_signature = function.signature(&self.name("purge"), &quote!(::scrubjay::Result<usize>));
        let mut clear_signature = function.signature(&self.name("clear"), &quote!(::scrubjay::Result<()>));
        if !self.needs_arguments_to_clear() {
            let receiver = |input: &FnArg| matches!(input, FnArg::Receiver(_));
            clear_signature.inputs = clear_signature.inputs.into_iter().filter(receiver).collect();
        }
        let (cache, (owner, namespace)) = (self.cache(), self.namespace());
        quote! {
            /// Removes what is kept under these; says how many there were.
            #[allow(dead_code, unused_variables, clippy::all, clippy::pedantic)]
            #visibility #purge_signature { #prelude __call.#purge() #wait }

            /// Removes everything in the namespace: this function's alone, if `namespace` is its own.
            #[allow(dead_code, unused_variables, clippy::all, clippy::pedantic)]
            #visibility #clear_signature {
                #owner
                #cache
                ::scrubjay::__cached::#clear::<#value>(__cache, #namespace) #wait
            }
        }
    }

    /// Whether the argument that holds the ids is a reference.
    fn borrows(&self, ids: &Ident) -> bool {
        let is_ids = |pattern: &syn::Pat| matches!(pattern, syn::Pat::Ident(name) if name.ident == *ids);
        self.function.item.sig.inputs.iter().any(|input| match input {
            FnArg::Typed(argument) => is_ids(&argument.pat) && matches!(*argument.ty, Type::Reference(_)),
            FnArg::Receiver(_) => false,
        })
    }
}
