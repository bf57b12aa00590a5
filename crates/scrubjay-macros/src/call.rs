//! The parts of a call: the cache, the key, what the options say of it, and the function that is run.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::{FnArg, GenericParam, Ident, Pat, Type};

use crate::{
    expand::Expansion,
    options::{Absence, Companions, Errors, Key, Lifetime, Place, Switch, mentions},
};

impl Expansion {
    /// The body of a function that asks the cache, and calls what the user wrote.
    pub(crate) fn loading(&self, reading: &TokenStream) -> TokenStream {
        if let Some(many) = &self.many {
            return self.loading_many(many, reading);
        }
        let (prelude, answer, sharing, keep) =
            (self.prelude(reading), self.function.answer(), self.sharing(), self.keep());
        let run = self.run();
        let (load, wait) =
            if self.function.is_async() { (quote!(load), quote!(.await)) } else { (quote!(load_blocking), quote!()) };
        quote! {
            #prelude
            if let ::core::option::Option::Some(__answer) = __call.hit::<#answer>() {
                return __answer;
            }
            ::scrubjay::__cached::#load::<#answer, _, _, _, _>(__call, #run, #keep, #sharing) #wait
        }
    }

    /// A closure that runs the function.
    fn run(&self) -> TokenStream {
        let function = &self.function;
        if self.stands_alone() {
            return self.run_block(&function.item.block.to_token_stream(), &quote!(move ||));
        }
        let (path, uncached, parameters, arguments) =
            (self.path(), self.name("uncached"), function.parameters(), &function.arguments);
        let this = function.receiver.map(|span| Ident::new("self", span)).into_iter();
        let call = quote!(#path #uncached::<#(#parameters),*>(#(#this,)* #(#arguments),*));
        if function.is_async() { quote!(move || #call) } else { quote!(move || ::core::future::ready(#call)) }
    }

    /// A closure that runs what the user wrote in its place.
    pub(crate) fn run_block(&self, block: &TokenStream, closure: &TokenStream) -> TokenStream {
        let returns = &self.function.returns;
        if self.function.is_async() {
            quote! {
                #closure async move {
                    #[allow(unreachable_code, unused_variables, clippy::all, clippy::pedantic)]
                    if false {
                        // Tells the compiler what `return` and `?` are about.
                        let __returned: #returns = loop {};
                        return __returned;
                    }
                    #[allow(unused_braces, clippy::all, clippy::pedantic)]
                    #block
                }
            }
        } else {
            quote! {
                #closure ::core::future::ready({
                    #[allow(unused_braces, unused_mut, clippy::all, clippy::pedantic)]
                    let mut __run = move || -> #returns #block;
                    #[allow(clippy::all, clippy::pedantic)]
                    __run()
                })
            }
        }
    }

    /// `__call`, and what it borrows from.
    pub(crate) fn prelude(&self, reading: &TokenStream) -> TokenStream {
        let key = self.key();
        self.prelude_with(&key, reading)
    }

    /// The same, with this key.
    pub(crate) fn prelude_with(&self, key: &TokenStream, reading: &TokenStream) -> TokenStream {
        let Self { function, options, .. } = self;
        let name = function.item.sig.ident.to_string();
        let (cache, (owner, namespace), (policy, chosen), ttl) =
            (self.cache(), self.namespace(), self.policy(), self.ttl());
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

    /// The type of the cache's values.
    pub(crate) fn value(&self) -> TokenStream {
        match &self.many {
            None => self.function.value(),
            Some(many) => {
                let batch = self.batch(many);
                quote!(<#batch as ::scrubjay::__cached::Batch>::Value)
            }
        }
    }

    /// What finds the cache of a function that names none by an expression, where it is the same for all companions.
    pub(crate) fn home(&self) -> Option<TokenStream> {
        if let Place::Expression(_) = self.options.cache {
            return None;
        }
        let name = self.home_name();
        Some(quote! {
            #[doc(hidden)]
            #[inline]
            #[allow(dead_code)]
            fn #name() -> &'static ::scrubjay::__cached::Home {
                static HOME: ::scrubjay::__cached::Home = ::scrubjay::__cached::Home::new();
                &HOME
            }
        })
    }

    /// `__cache`, and what it borrows from.
    pub(crate) fn cache(&self) -> TokenStream {
        let value = self.value();
        let held = match &self.options.cache {
            Place::Expression(cache) => {
                let chosen = quote!(::scrubjay::__cached::Chosen::<#value>::chosen(&(#cache)));
                if self.mentions_what_moves(cache.to_token_stream()) {
                    quote!(let __held = #chosen.cloned(); let __chosen = ::core::option::Option::as_ref(&__held);)
                } else {
                    // Two statements, so that what the expression makes lives as long as the call.
                    quote!(let __held = &(#cache); let __chosen = ::scrubjay::__cached::Chosen::<#value>::chosen(__held);)
                }
            }
            place => {
                let place = match place {
                    Place::Alias(alias) => quote!(Alias(#alias)),
                    Place::Url(url) => quote!(Url(#url)),
                    _ => quote!(Default),
                };
                let (path, name) = (self.path(), self.home_name());
                let path = (!self.stands_alone()).then_some(path);
                return quote! {
                    let __cache = #path #name()
                        .find::<#value>(::scrubjay::__cached::Place::#place, || {
                            use ::scrubjay::__cached::{CodecOfAny as _, CodecOfSerde as _};
                            (&::scrubjay::__cached::Codec(::core::marker::PhantomData::<#value>)).codecs()
                        })
                        .map(::core::option::Option::Some);
                };
            }
        };
        quote! {
            #held
            let __cache: ::scrubjay::Result<::core::option::Option<&::scrubjay::Cache<#value>>> =
                ::core::result::Result::Ok(__chosen);
        }
    }

    /// The key, as a `Result<Text>`.
    pub(crate) fn key(&self) -> TokenStream {
        let Self { function, options, many } = self;
        let text = quote!(::scrubjay::__cached::Text);
        let kept = || function.arguments.iter().filter(|argument| !options.skip.contains(argument));
        let id_of = |argument: &Ident| many.as_ref().filter(|many| many.ids == *argument).map(|many| &many.id);
        let style = match &options.key {
            Key::Canonical => quote!(Short),
            Key::Readable => quote!(Readable),
            Key::Hashed => quote!(Hashed),
            Key::Format(format) => {
                return quote!(::scrubjay::Result::Ok(#text::formatted(::core::format_args!(#format))));
            }
            Key::Expression(key) => {
                return quote!(::scrubjay::Result::Ok(#text::from(::core::convert::Into::<::std::string::String>::into(#key))));
            }
            Key::Function(key) => {
                let arguments =
                    kept().map(|argument| id_of(argument).map_or_else(|| quote!(&#argument), |id| quote!(#id)));
                return quote! {
                    ::scrubjay::Result::Ok(#text::from(::core::convert::Into::<::std::string::String>::into((#key)(#(#arguments),*))))
                };
            }
        };
        let parameters = function.item.sig.generics.params.iter().filter_map(|parameter| match parameter {
            GenericParam::Lifetime(_) => None,
            GenericParam::Type(parameter) => {
                let (ident, name) = (&parameter.ident, parameter.ident.to_string());
                Some(quote!(__key.argument(#name, ::core::any::type_name::<#ident>());))
            }
            GenericParam::Const(parameter) => {
                let (ident, name) = (&parameter.ident, parameter.ident.to_string());
                Some(quote!(__key.argument(#name, &#ident);))
            }
        });
        let arguments = kept().map(|argument| {
            let (name, told) = (argument.to_string(), id_of(argument).unwrap_or(argument));
            quote_spanned!(argument.span()=> (&&::scrubjay::__cached::Argument(&#told)).add_to(&mut __key, #name);)
        });
        let path = self.key_path();
        quote! {{
            #[allow(unused_imports)]
            use ::scrubjay::__cached::{PartOfAny as _, PartOfSet as _};
            #[allow(unused_mut)]
            let mut __key = ::scrubjay::__cached::ArgumentKey::new(&[#path]);
            #(#parameters)*
            #(#arguments)*
            __key.finish(::scrubjay::__cached::Style::#style)
        }}
    }

    /// The function in its keys, in parts. `module_path!` does not tell apart what stands in two functions; types are told apart.
    fn key_path(&self) -> TokenStream {
        let name = self.function.item.sig.ident.to_string();
        if self.stands_alone() {
            return quote!(::scrubjay::__cached::function_around(&|| ()));
        }
        if self.is_method() {
            let name = format!("::{name}");
            return quote!(::core::any::type_name::<Self>(), #name);
        }
        let owner = self.owner();
        let whole = quote!(::core::any::type_name::<#owner>());
        match &self.options.companions {
            Companions::Renamed(renamed) => {
                let renamed = renamed.to_string();
                quote!(#whole.strip_suffix(#renamed).unwrap_or_default(), #name)
            }
            _ => whole,
        }
    }

    /// The ttl that is known before the call.
    fn ttl(&self) -> TokenStream {
        if let Some(Lifetime::Given(ttl)) = &self.options.ttl {
            quote!(::core::option::Option::Some(::core::convert::Into::<::scrubjay::Ttl>::into(#ttl)))
        } else {
            quote!(::core::option::Option::None)
        }
    }

    /// What the namespace is borrowed from, and it.
    pub(crate) fn namespace(&self) -> (TokenStream, TokenStream) {
        let Some(namespace) = &self.options.namespace else { return (quote!(), quote!(::core::option::Option::None)) };
        let held = if self.mentions_what_moves(namespace.to_token_stream()) {
            quote!(&::std::string::String::from(::core::convert::AsRef::<str>::as_ref(&(#namespace))))
        } else {
            quote!(&(#namespace))
        };
        (
            quote!(let __namespace = #held;),
            quote!(::core::option::Option::Some(::core::convert::AsRef::<str>::as_ref(__namespace))),
        )
    }

    /// The policy that the attribute says something of, and a reference to it.
    fn policy(&self) -> (TokenStream, TokenStream) {
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

    /// Whether a value is kept, and how long.
    pub(crate) fn keep(&self) -> TokenStream {
        let (options, value) = (&self.options, self.value());
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

    /// Arguments that the options use, which the body need not.
    pub(crate) fn arguments_of_options(&self) -> Vec<&Ident> {
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

    /// Whether an expression borrows what the function's run takes away: arguments that are no shared references.
    fn mentions_what_moves(&self, tokens: TokenStream) -> bool {
        let is_shared = |of: &Type| matches!(of, Type::Reference(reference) if reference.mutability.is_none());
        let moved = self.function.item.sig.inputs.iter().filter_map(|input| match input {
            FnArg::Receiver(this) if is_shared(&this.ty) => None,
            FnArg::Receiver(_) => Some(Ident::new("self", Span::call_site())),
            FnArg::Typed(argument) if is_shared(&argument.ty) => None,
            FnArg::Typed(argument) => match &*argument.pat {
                Pat::Ident(name) => Some(name.ident.clone()),
                _ => None,
            },
        });
        mentions(tokens, &moved.collect::<Vec<_>>())
    }
}
