//! From a function and options to code: the function, which asks the cache first, and its companions.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, format_ident, quote, quote_spanned};
use syn::{Attribute, Error, FnArg, GenericParam, Ident, ItemFn, Result};

use crate::{
    function::{Function, Shape},
    options::{Absence, Companions, Errors, Key, Lifetime, Options, Place, Switch, mentions},
};

/// The code that `#[cached]` stands for.
pub(crate) fn cached(options: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let options: Options = syn::parse2(options)?;
    let item: ItemFn = syn::parse2(item)?;
    if let Some(keys) = &options.keys {
        return Err(Error::new(keys.span(), "`keys` is an option of `#[cached_many]`"));
    }
    let function = Function::new(item, options.none)?;
    let expansion = Expansion { function, options, many: None };
    expansion.check()?;
    Ok(expansion.code())
}

/// A function and what is to be made of it.
pub(crate) struct Expansion {
    pub(crate) function: Function,
    pub(crate) options: Options,
    pub(crate) many: Option<Many>,
}

/// What a function of many is asked for.
pub(crate) struct Many {
    /// The argument that holds them.
    pub(crate) ids: Ident,
    /// One of them, in a key.
    pub(crate) id: Ident,
}

impl Expansion {
    pub(crate) fn check(&self) -> Result<()> {
        let Self { function, options, .. } = self;
        for skipped in &options.skip {
            let known =
                if skipped == "self" { function.receiver.is_some() } else { function.arguments.contains(skipped) };
            if !known {
                return Err(Error::new(skipped.span(), format!("the function has no argument `{skipped}`")));
            }
        }
        if let Some(receiver) = function.receiver
            && !self.leaves_self_out()
        {
            return Err(Error::new(
                receiver,
                "two values of this type would share entries: keep them in a cache of their own (`cache = self.…`), say in \
                 `key = …` what tells them apart, or write `skip(self)` if nothing does",
            ));
        }
        let never_none = matches!(function.shape, Shape::Plain | Shape::Tried);
        if never_none
            && (options.negative_ttl.is_some() || matches!(options.none, Some(Absence::Miss | Absence::Negative)))
        {
            return Err(Error::new_spanned(
                &function.returns,
                "`none` and `negative_ttl` are about functions that return an Option, or a Result of one",
            ));
        }
        if options.errors == Errors::Each && !function.returns_result() {
            return Err(Error::new_spanned(&function.returns, "`errors` is about functions that return a Result"));
        }
        Ok(())
    }

    fn leaves_self_out(&self) -> bool {
        let names_self = |tokens| mentions(tokens, &[Ident::new("self", Span::call_site())]);
        self.options.skip.iter().any(|skipped| skipped == "self")
            || !matches!(self.options.key, Key::Canonical | Key::Readable | Key::Hashed)
            || matches!(&self.options.cache, Place::Expression(cache) if names_self(cache.to_token_stream()))
    }

    pub(crate) fn code(&self) -> TokenStream {
        let Self { function, options, .. } = self;
        let item = &function.item;
        let (visibility, name) = (&item.vis, &item.sig.ident);
        let cached = quote!(::scrubjay::__cached::Reading::Cached);
        let anew_if = |condition| quote!(::scrubjay::__cached::Reading::anew_if(#condition));
        let reading = options.refresh.as_ref().map_or(cached, anew_if);
        let body = if self.many.is_some() { self.loading_many() } else { self.loading(&reading) };
        let signature = function.signature(name, &function.returns.to_token_stream());
        let (attributes, lints): (Vec<&Attribute>, Vec<&Attribute>) =
            item.attrs.iter().partition(|attribute| !is_lint(attribute));
        let support = self.support(&lints);
        if let (None, Companions::None) = (function.receiver, &options.companions) {
            return quote! {
                #(#attributes)*
                #[allow(clippy::used_underscore_binding)]
                #visibility #signature {
                    #support
                    #body
                }
            };
        }
        quote! {
            #(#attributes)*
            #[allow(clippy::used_underscore_binding)]
            #visibility #signature { #body }
            #support
        }
    }

    /// The function itself, without the cache, and what stands beside it.
    fn support(&self, lints: &[&Attribute]) -> TokenStream {
        let Self { function, options, .. } = self;
        let is_told = !matches!(options.companions, Companions::None);
        let visibility = if is_told { function.item.vis.to_token_stream() } else { quote!() };
        let (block, used) = (&function.item.block, self.arguments_of_options());
        let mut plain = function.item.sig.clone();
        plain.ident = self.name("uncached");
        let uncached = quote! {
            /// The function without its cache.
            #[allow(dead_code, clippy::used_underscore_binding)]
            #(#lints)*
            #visibility #plain { #(let _ = &#used;)* #block }
        };
        let home = self.home();
        let companions = match (is_told, &self.many) {
            (false, _) => quote!(),
            (true, None) => self.companions(),
            (true, Some(_)) => self.companions_of_many(),
        };
        if function.receiver.is_some() {
            return quote! { #uncached #home #companions };
        }
        let (owner, of) =
            (self.owner(), format!("What else can be done with [`{0}`](fn@{0}).", function.item.sig.ident));
        quote! {
            #[doc = #of]
            #[allow(non_camel_case_types, dead_code, missing_debug_implementations, clippy::all, clippy::pedantic)]
            #visibility enum #owner {}

            #[allow(dead_code, clippy::all, clippy::pedantic)]
            impl #owner { #uncached #home #companions }
        }
    }

    fn companions(&self) -> TokenStream {
        let function = &self.function;
        let visibility = &function.item.vis;
        let (value, is_async) = (function.value(), function.is_async());
        let prelude = self.prelude(&quote!(::scrubjay::__cached::Reading::Cached));
        let (wait, purge, peek, clear) = if is_async {
            (quote!(.await), quote!(purge), quote!(peek), quote!(clear))
        } else {
            (quote!(), quote!(purge_blocking), quote!(peek_blocking), quote!(clear_blocking))
        };
        let purge_signature = function.signature(&self.name("purge"), &quote!(::scrubjay::Result<bool>));
        let peek_signature =
            function.signature(&self.name("peek"), &quote!(::scrubjay::Result<::core::option::Option<#value>>));
        let refresh_signature = function.signature(&self.name("refresh"), &function.returns.to_token_stream());
        let mut key_signature =
            function.signature(&self.name("key"), &quote!(::scrubjay::Result<::std::string::String>));
        key_signature.asyncness = None;
        let mut clear_signature = function.signature(&self.name("clear"), &quote!(::scrubjay::Result<()>));
        if !self.needs_arguments_to_clear() {
            clear_signature.inputs =
                clear_signature.inputs.into_iter().filter(|input| matches!(input, FnArg::Receiver(_))).collect();
        }
        let (key, cache, (owner, namespace)) = (self.key(), self.cache(), self.namespace());
        let refreshed = self.loading(&quote!(::scrubjay::__cached::Reading::Anew));
        let quiet = quote!(#[allow(dead_code, unused_variables, clippy::all, clippy::pedantic)]);
        quote! {
            /// Removes what is kept of this call; says whether there was something.
            #quiet
            #visibility #purge_signature { #prelude __call.#purge() #wait }

            /// Calls the function, whatever is kept, and keeps what it returns.
            #quiet
            #visibility #refresh_signature { #refreshed }

            /// What is kept of this call, if there is something; the function is not called.
            #quiet
            #visibility #peek_signature { #prelude __call.#peek() #wait }

            /// The key of this call.
            #quiet
            #visibility #key_signature { #key }

            /// Removes everything in the namespace: this function's alone, if `namespace` is its own.
            #quiet
            #visibility #clear_signature { #owner #cache ::scrubjay::__cached::#clear::<#value>(__cache, #namespace) #wait }
        }
    }

    /// Finds the cache of a function that names none by an expression.
    fn home(&self) -> TokenStream {
        let function = &self.function;
        let place = match &self.options.cache {
            Place::Expression(_) => return quote!(),
            Place::Default => quote!(Default),
            Place::Alias(alias) => quote!(Alias(#alias)),
            Place::Url(url) => quote!(Url(#url)),
        };
        let (name, value) = (self.home_name(), self.value());
        let codecs = quote! {
            || {
                use ::scrubjay::__cached::{CodecOfAny as _, CodecOfSerde as _};
                (&::scrubjay::__cached::Codec(::core::marker::PhantomData::<#value>)).codecs()
            }
        };
        let generics = &function.item.sig.generics;
        let (parameters, bounds) =
            (generics.params.iter().filter(|one| !matches!(one, GenericParam::Lifetime(_))), &generics.where_clause);
        if self.has_one_type() {
            quote! {
                #[doc(hidden)]
                #[inline]
                fn #name() -> ::scrubjay::Result<&'static ::scrubjay::Cache<#value>> {
                    static HOME: ::scrubjay::__cached::Home<#value> = ::scrubjay::__cached::Home::new();
                    HOME.find(::scrubjay::__cached::Place::#place, #codecs)
                }
            }
        } else {
            quote! {
                #[doc(hidden)]
                fn #name<#(#parameters),*>() -> ::scrubjay::Result<::scrubjay::Cache<#value>> #bounds {
                    static HOME: ::scrubjay::__cached::AnyHome = ::scrubjay::__cached::AnyHome::new();
                    HOME.find::<#value>(::scrubjay::__cached::Place::#place, #codecs)
                }
            }
        }
    }

    /// Whether its values are of one type, which a static can have: it stands in no impl and has no parameters.
    fn has_one_type(&self) -> bool {
        self.function.receiver.is_none() && self.function.parameters().is_empty()
    }

    /// `__cache`, and what it borrows from.
    pub(crate) fn cache(&self) -> TokenStream {
        let value = self.value();
        if let Place::Expression(cache) = &self.options.cache {
            return quote! {
                let __held = &(#cache);
                let __cache: ::scrubjay::Result<::core::option::Option<&::scrubjay::Cache<#value>>> =
                    ::core::result::Result::Ok(::scrubjay::__cached::Chosen::<#value>::chosen(__held));
            };
        }
        let (path, name, parameters) = (self.path(), self.home_name(), self.function.parameters());
        let found = if self.has_one_type() {
            quote!(__held)
        } else {
            quote!(match &__held {
                ::core::result::Result::Ok(cache) => ::core::result::Result::Ok(cache),
                ::core::result::Result::Err(error) => ::core::result::Result::Err(::core::clone::Clone::clone(error)),
            })
        };
        quote! {
            let __held = #path #name::<#(#parameters),*>();
            let __cache: ::scrubjay::Result<::core::option::Option<&::scrubjay::Cache<#value>>> =
                (#found).map(::core::option::Option::Some);
        }
    }

    /// The key, as a `Result<String>`.
    pub(crate) fn key(&self) -> TokenStream {
        let Self { function, options, .. } = self;
        let name = function.item.sig.ident.to_string();
        let one = |argument| match &self.many {
            Some(Many { ids, id }) if argument == ids => id,
            _ => argument,
        };
        let kept = || function.arguments.iter().filter(|argument| !options.skip.contains(argument)).map(one);
        let style = match &options.key {
            Key::Canonical => quote!(Short),
            Key::Readable => quote!(Readable),
            Key::Hashed => quote!(Hashed),
            Key::Format(format) => return quote!(::scrubjay::Result::Ok(::std::format!(#format))),
            Key::Expression(key) => {
                return quote!(::scrubjay::Result::Ok(::core::convert::Into::<::std::string::String>::into(#key)));
            }
            Key::Function(key) => {
                let arguments = kept();
                return quote! {
                    ::scrubjay::Result::Ok(::core::convert::Into::<::std::string::String>::into((#key)(#(&#arguments),*)))
                };
            }
        };
        let path = if function.receiver.is_some() {
            quote!(::core::any::type_name::<Self>())
        } else {
            quote!(::core::module_path!())
        };
        let parameters = function.item.sig.generics.params.iter().filter_map(|parameter| match parameter {
            GenericParam::Lifetime(_) => None,
            GenericParam::Type(parameter) => {
                let (ident, name) = (&parameter.ident, parameter.ident.to_string());
                Some(quote!(.argument(#name, ::core::any::type_name::<#ident>())))
            }
            GenericParam::Const(parameter) => {
                let (ident, name) = (&parameter.ident, parameter.ident.to_string());
                Some(quote!(.argument(#name, &#ident)))
            }
        });
        let arguments = kept().map(|argument| {
            let name = argument.to_string();
            quote_spanned!(argument.span()=> .argument(#name, &#argument))
        });
        quote! {
            ::scrubjay::__cached::ArgumentKey::new(#path, #name)
                #(#parameters)*
                #(#arguments)*
                .finish(::scrubjay::__cached::Style::#style)
        }
    }

    /// The ttl that is known before the call.
    pub(crate) fn ttl(&self) -> TokenStream {
        if let Some(Lifetime::Given(ttl)) = &self.options.ttl {
            quote!(::core::option::Option::Some(::core::convert::Into::<::scrubjay::Ttl>::into(#ttl)))
        } else {
            quote!(::core::option::Option::None)
        }
    }

    /// What the namespace is borrowed from, and it.
    pub(crate) fn namespace(&self) -> (TokenStream, TokenStream) {
        match &self.options.namespace {
            None => (quote!(), quote!(::core::option::Option::None)),
            Some(namespace) => (
                quote!(let __namespace = &(#namespace);),
                quote!(::core::option::Option::Some(::core::convert::AsRef::<str>::as_ref(__namespace))),
            ),
        }
    }

    /// `__call`, and what it borrows from.
    fn prelude(&self, reading: &TokenStream) -> TokenStream {
        let Self { function, options, .. } = self;
        let name = function.item.sig.ident.to_string();
        let (cache, key, (owner, namespace)) = (self.cache(), self.key(), self.namespace());
        let ttl = self.ttl();
        let (policy, chosen) = self.policy();
        let flight = match &options.single_flight {
            Some(shared) if !shared.value => quote!(Own),
            _ => quote!(Shared),
        };
        let writing = if options.if_absent == Switch::On { quote!(IfAbsent) } else { quote!(Always) };
        quote! {
            #policy
            #owner
            #cache
            let __call = ::scrubjay::__cached::Call {
                function: ::core::concat!(::core::module_path!(), "::", #name),
                key: #key,
                cache: __cache,
                namespace: #namespace,
                ttl: #ttl,
                policy: #chosen,
                reading: #reading,
                flight: ::scrubjay::__cached::Flight::#flight,
                writing: ::scrubjay::__cached::Writing::#writing,
            };
        }
    }

    /// The policy that the attribute says something of, and a reference to it.
    pub(crate) fn policy(&self) -> (TokenStream, TokenStream) {
        let options = &self.options;
        let field = |name: &str, time: &TokenStream| {
            let name = Ident::new(name, Span::call_site());
            quote!(.#name(#time))
        };
        let grace = options.grace.as_ref().map(|time| field("grace", time));
        let negative = match (&options.negative_ttl, options.none) {
            (Some(time), _) => Some(field("negative_ttl", time)),
            (None, Some(Absence::Miss)) => Some(field("negative_ttl", &quote!(::core::time::Duration::ZERO))),
            (None, _) => None,
        };
        if grace.is_none() && negative.is_none() && options.policy.is_none() {
            return (quote!(), quote!(::core::option::Option::None));
        }
        let under = options.policy.as_ref().map(|policy| {
            quote!(let __policy = ::scrubjay::Policy::over(__policy, *::core::borrow::Borrow::<::scrubjay::Policy>::borrow(&(#policy)));)
        });
        let made = quote! {
            let __policy = ::scrubjay::Policy::new() #grace #negative;
            #under
        };
        (made, quote!(::core::option::Option::Some(&__policy)))
    }

    /// The body of the function: asks the cache, and calls what the user wrote.
    fn loading(&self, reading: &TokenStream) -> TokenStream {
        let function = &self.function;
        let prelude = self.prelude(reading);
        let (answer, value, path, uncached) = (function.answer(), function.value(), self.path(), self.name("uncached"));
        let (arguments, parameters) = (&function.arguments, function.parameters());
        let (this, taken) = match function.receiver {
            Some(span) => {
                let this = Ident::new("self", span);
                (Some(quote!(#this,)), Some(quote!(__this,)))
            }
            None => (None, None),
        };
        let sharing = self.sharing();
        let keep = self.keep(&value);
        let (load, wait) =
            if function.is_async() { (quote!(load), quote!(.await)) } else { (quote!(load_blocking), quote!()) };
        let types = if function.is_async() { quote!(#answer, _, _, _, _, _) } else { quote!(#answer, _, _, _, _) };
        quote! {
            #prelude
            ::scrubjay::__cached::#load::<#types>(
                __call,
                (#this #(#arguments,)*),
                |(#taken #(#arguments,)*)| #path #uncached::<#(#parameters),*>(#taken #(#arguments),*),
                #keep,
                #sharing,
            )#wait
        }
    }

    /// How those who wait get an error.
    pub(crate) fn sharing(&self) -> TokenStream {
        let Self { function, options, .. } = self;
        match (function.returns_result(), options.errors) {
            (false, _) => quote!(::scrubjay::__cached::Never),
            (true, Errors::Each) => quote!(::scrubjay::__cached::Each),
            (true, Errors::Shared) => {
                let returns = &function.returns;
                let error = quote!(<#returns as ::scrubjay::__cached::AnyResult>::Error);
                quote!({
                    use ::scrubjay::__cached::{OfAny as _, OfClone as _, OfCloneFrom as _, OfFrom as _};
                    (&&&&::scrubjay::__cached::ErrorOf(::core::marker::PhantomData::<#error>)).sharing()
                })
            }
        }
    }

    /// The type of the cache's values.
    pub(crate) fn value(&self) -> TokenStream {
        let value = self.function.value();
        if self.many.is_some() { quote!(<#value as ::scrubjay::__cached::Batch>::Value) } else { value }
    }

    /// Whether a value is kept, and how long.
    fn keep(&self, value: &TokenStream) -> TokenStream {
        let options = &self.options;
        let not = quote!(return ::scrubjay::__cached::Keep::Not;);
        let unless =
            options.unless.as_ref().map(|unless| quote!(if ::scrubjay::__cached::holds(#unless, __value) { #not }));
        let when = options.when.as_ref().map(|when| quote!(if !::scrubjay::__cached::holds(#when, __value) { #not }));
        let keep = if let Some(Lifetime::OfValue(ttl)) = &options.ttl {
            quote!(::scrubjay::__cached::Keep::For(::scrubjay::__cached::ttl_of(#ttl, __value)))
        } else {
            quote!(::scrubjay::__cached::Keep::AsUsual)
        };
        quote!(|__value: &#value| -> ::scrubjay::__cached::Keep { #unless #when #keep })
    }

    pub(crate) fn needs_arguments_to_clear(&self) -> bool {
        let cache = match &self.options.cache {
            Place::Expression(cache) => cache.to_token_stream(),
            _ => quote!(),
        };
        mentions(cache, &self.function.arguments)
            || mentions(self.options.namespace.to_token_stream(), &self.function.arguments)
    }

    /// Arguments that the options use, which the body need not.
    fn arguments_of_options(&self) -> Vec<&Ident> {
        let options = &self.options;
        let mut tokens = quote!();
        for expression in [&options.namespace, &options.refresh, &options.policy] {
            expression.to_tokens(&mut tokens);
        }
        if let Place::Expression(cache) = &options.cache {
            cache.to_tokens(&mut tokens);
        }
        if let Some(Lifetime::Given(ttl)) = &options.ttl {
            ttl.to_tokens(&mut tokens);
        }
        match &options.key {
            Key::Format(format) => format.to_tokens(&mut tokens),
            Key::Expression(key) => key.to_tokens(&mut tokens),
            _ => {}
        }
        let is_used = |argument: &&Ident| mentions(tokens.clone(), std::slice::from_ref(argument));
        self.function.arguments.iter().filter(is_used).collect()
    }

    /// The name of what stands beside the function.
    pub(crate) fn name(&self, companion: &str) -> Ident {
        let function = &self.function.item.sig.ident;
        match (&self.function.receiver, &self.options.companions) {
            (None, _) => Ident::new(companion, function.span()),
            (Some(_), Companions::Named) => format_ident!("{function}_{companion}"),
            (Some(_), Companions::Renamed(prefix)) => format_ident!("{prefix}_{companion}"),
            (Some(_), Companions::None) => format_ident!("__{function}_{companion}"),
        }
    }

    fn home_name(&self) -> Ident {
        match self.function.receiver {
            None => Ident::new("__home", Span::call_site()),
            Some(_) => format_ident!("__{}_home", self.function.item.sig.ident),
        }
    }

    /// The empty enum whose functions the companions are.
    fn owner(&self) -> Ident {
        match &self.options.companions {
            Companions::Renamed(name) => name.clone(),
            Companions::Named | Companions::None => self.function.item.sig.ident.clone(),
        }
    }

    /// Where the companions are found.
    pub(crate) fn path(&self) -> TokenStream {
        if self.function.receiver.is_some() {
            return quote!(Self::);
        }
        let owner = self.owner();
        quote!(#owner::)
    }
}

/// Whether an attribute is about the body.
fn is_lint(attribute: &Attribute) -> bool {
    ["allow", "expect", "warn", "deny", "forbid"].iter().any(|lint| attribute.path().is_ident(lint))
}
