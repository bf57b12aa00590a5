//! What stands beside a function.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};
use syn::{FnArg, Pat, Signature};

use crate::{
    expand::Expansion,
    many::Many,
    options::{Place, mentions},
};

impl Expansion {
    /// The companions, one by one.
    pub(crate) fn companions(&self) -> Vec<TokenStream> {
        let mut companions = match &self.many {
            None => self.companions_of_one(),
            Some(many) => self.companions_of_many(many),
        };
        let refreshed = self.loading(&quote!(::scrubjay::__cached::Reading::Anew));
        companions.push(self.companion(
            "Calls the function, whatever is kept, and keeps what it returns.",
            &self.function.signature(&self.name("refresh"), &self.function.returns.to_token_stream()),
            &refreshed,
        ));
        companions.push(self.clear());
        companions
    }

    fn companions_of_one(&self) -> Vec<TokenStream> {
        let (function, value) = (&self.function, self.value());
        let (face, prelude) = (self.face(), self.prelude(&quote!(::scrubjay::__cached::Reading::Cached)));
        let (purge, peek, key) =
            (self.waited(&quote!(__call.purge::<#face>())), self.waited(&quote!(__call.peek::<#face>())), self.key());
        let mut key_signature =
            function.signature(&self.name("key"), &quote!(::scrubjay::Result<::std::string::String>));
        key_signature.asyncness = None;
        vec![
            self.companion(
                "Removes what is kept of this call; says whether there was something.",
                &function.signature(&self.name("purge"), &quote!(::scrubjay::Result<bool>)),
                &quote!(#prelude #purge),
            ),
            self.companion(
                "What is kept of this call, if there is something; the function is not called.",
                &function.signature(&self.name("peek"), &quote!(::scrubjay::Result<::core::option::Option<#value>>)),
                &quote!(#prelude #peek),
            ),
            self.companion("The key of this call.", &key_signature, &string(&key)),
        ]
    }

    fn companions_of_many(&self, many: &Many) -> Vec<TokenStream> {
        let (function, map, batch) = (&self.function, self.function.value(), self.batch(many));
        let (face, id, ids) = (self.face(), &many.id, &many.ids);
        let prelude = self.prelude_of_many(many, &quote!(::scrubjay::__cached::Reading::Cached));
        let (purge, peek) =
            (self.waited(&quote!(__call.purge::<#face>())), self.waited(&quote!(__call.peek::<#face, #batch>(__ids))));
        let mut key_signature =
            function.signature(&self.name("key"), &quote!(::scrubjay::Result<::std::string::String>));
        key_signature.asyncness = None;
        for input in &mut key_signature.inputs {
            if matches!(input, FnArg::Typed(argument) if matches!(&*argument.pat, Pat::Ident(name) if name.ident == *ids))
            {
                *input = syn::parse_quote!(#id: &<#batch as ::scrubjay::__cached::Batch>::Id);
            }
        }
        vec![
            self.companion(
                "Removes what is kept under these; says how many there were.",
                &function.signature(&self.name("purge"), &quote!(::scrubjay::Result<usize>)),
                &quote!(#prelude #purge),
            ),
            self.companion(
                "What is kept under these; the function is not called.",
                &function.signature(&self.name("peek"), &quote!(::scrubjay::Result<#map>)),
                &quote!(#prelude #peek),
            ),
            self.companion("The key of one of these.", &key_signature, &string(&self.key())),
        ]
    }

    /// `clear`: of a function whose namespace others may share, one that says why it cannot be called.
    fn clear(&self) -> TokenStream {
        let mut signature = self.function.signature(&self.name("clear"), &quote!(::scrubjay::Result<()>));
        if !self.needs_arguments_to_clear() {
            let receiver = |input: &FnArg| matches!(input, FnArg::Receiver(_));
            signature.inputs = signature.inputs.into_iter().filter(receiver).collect();
        }
        if self.options.namespace.is_none() {
            let bound = syn::parse_quote! {
                for<'__clear> ::scrubjay::__cached::SharedNamespace: ::scrubjay::__cached::OwnNamespace
            };
            signature.generics.make_where_clause().predicates.push(bound);
            let visibility = &self.function.item.vis;
            return quote! {
                #[doc(hidden)]
                #[allow(dead_code, unused_variables, unused_lifetimes, clippy::all, clippy::pedantic)]
                #visibility #signature { ::core::result::Result::Ok(()) }
            };
        }
        let (value, face, cache, (owner, namespace)) = (self.value(), self.face(), self.cache(), self.namespace());
        let key = if self.many.is_some() {
            quote!(::std::vec::Vec<::std::string::String>)
        } else {
            quote!(::scrubjay::__cached::Text)
        };
        let clear = self.waited(&quote!(
            ::scrubjay::__cached::Call::<'_, #value, #key>::clear::<#face>(__cache, #namespace.unwrap_or_default())
        ));
        self.companion("Removes everything in the function's namespace.", &signature, &quote!(#owner #cache #clear))
    }

    fn companion(&self, doc: &str, signature: &Signature, body: &TokenStream) -> TokenStream {
        let visibility = &self.function.item.vis;
        quote! {
            #[doc = #doc]
            #[allow(dead_code, unused_variables, clippy::all, clippy::pedantic)]
            #visibility #signature { #body }
        }
    }

    /// Who waits.
    fn face(&self) -> TokenStream {
        if self.function.is_async() {
            quote!(::scrubjay::__cached::Async)
        } else {
            quote!(::scrubjay::__cached::Blocking)
        }
    }

    /// A future, waited for.
    fn waited(&self, future: &TokenStream) -> TokenStream {
        if self.function.is_async() { quote!(#future.await) } else { quote!(::scrubjay::__cached::at_once(#future)) }
    }

    fn needs_arguments_to_clear(&self) -> bool {
        let cache = match &self.options.cache {
            Place::Expression(cache) => cache.to_token_stream(),
            _ => quote!(),
        };
        mentions(cache, &self.function.arguments)
            || mentions(self.options.namespace.to_token_stream(), &self.function.arguments)
    }
}

/// A key as users get it.
fn string(key: &TokenStream) -> TokenStream {
    quote!((#key).map(::scrubjay::__cached::Text::into_string))
}
