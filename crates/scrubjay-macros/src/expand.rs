//! From a function and options to code: the function, which asks the cache first, and its companions.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens as _, format_ident, quote};
use syn::{Attribute, Error, Ident, ItemFn, Result};

use crate::{
    function::{Function, Shape},
    many::Many,
    options::{Absence, Companions, Errors, Key, Options, Place, mentions},
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
        let never_none = self.many.is_none() && matches!(function.shape, Shape::Plain | Shape::Tried);
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
        let (visibility, name, returns) = (&item.vis, &item.sig.ident, &function.returns);
        let cached = quote!(::scrubjay::__cached::Reading::Cached);
        let anew_if = |condition| quote!(::scrubjay::__cached::Reading::anew_if(#condition));
        let body = self.loading(&options.refresh.as_ref().map_or(cached, anew_if));
        let (lints, attributes): (Vec<&Attribute>, Vec<&Attribute>) = item.attrs.iter().partition(|one| is_lint(one));
        if self.stands_alone() {
            // What the user wrote runs here, and changes its arguments; that of a function of many changes clones.
            let signature = match self.many {
                None => item.sig.clone(),
                Some(_) => function.signature(name, &returns.to_token_stream()),
            };
            let home = self.home();
            return quote! {
                #(#attributes)*
                #(#lints)*
                #[allow(clippy::used_underscore_binding)]
                #visibility #signature { #home #body }
            };
        }
        let support = self.support(&lints);
        let mut signature = function.signature(name, &returns.to_token_stream());
        let mut body = body;
        if function.is_async() && calls(item.block.to_token_stream(), name) {
            // What is known of it, that it is `Send`, must not depend on what it is made of, which is itself.
            signature.asyncness = None;
            signature.output =
                syn::parse_quote!(-> impl ::core::future::Future<Output = #returns> + ::core::marker::Send);
            body = quote!(async move { #body });
        }
        quote! {
            #(#attributes)*
            #[allow(clippy::used_underscore_binding, clippy::manual_async_fn)]
            #visibility #signature { #body }
            #support
        }
    }

    /// The function itself, without the cache, and what stands beside it.
    fn support(&self, lints: &[&Attribute]) -> TokenStream {
        let function = &self.function;
        let item = &function.item;
        let (visibility, block, used) = (&item.vis, &item.block, self.arguments_of_options());
        let conditions: Vec<&Attribute> = item.attrs.iter().filter(|one| one.path().is_ident("cfg")).collect();
        let mut plain = item.sig.clone();
        plain.ident = self.name("uncached");
        let uncached = quote! {
            /// The function without its cache.
            #[allow(dead_code, clippy::used_underscore_binding)]
            #(#lints)*
            #visibility #plain { #(let _ = &#used;)* #block }
        };
        let companions: TokenStream = [Some(uncached), self.home()]
            .into_iter()
            .flatten()
            .chain(self.companions())
            .map(|companion| quote!(#(#conditions)* #companion))
            .collect();
        if self.is_method() {
            return companions;
        }
        let (owner, of) = (self.owner(), format!("What else can be done with [`{0}`](fn@{0}).", item.sig.ident));
        quote! {
            #(#conditions)*
            #[doc = #of]
            #[allow(non_camel_case_types, dead_code, missing_debug_implementations, clippy::all, clippy::pedantic)]
            #visibility enum #owner {}

            #(#conditions)*
            #[allow(dead_code, clippy::all, clippy::pedantic)]
            impl #owner { #companions }
        }
    }

    /// Whether nothing stands beside the function: all is in its body, which may therefore stand anywhere.
    pub(crate) fn stands_alone(&self) -> bool {
        matches!(self.options.companions, Companions::None)
    }

    /// Whether it stands in an impl, as far as can be seen from inside it.
    pub(crate) fn is_method(&self) -> bool {
        self.function.receiver.is_some()
            || matches!(self.options.companions, Companions::Beside)
            || mentions(self.function.item.to_token_stream(), &[Ident::new("Self", Span::call_site())])
    }

    /// The name of what stands beside the function.
    pub(crate) fn name(&self, companion: &str) -> Ident {
        let function = &self.function.item.sig.ident;
        match &self.options.companions {
            _ if !self.is_method() => Ident::new(companion, function.span()),
            Companions::Renamed(prefix) => format_ident!("{prefix}_{companion}"),
            Companions::Named | Companions::Beside | Companions::None => format_ident!("{function}_{companion}"),
        }
    }

    /// The name of the function that answers its home.
    pub(crate) fn home_name(&self) -> Ident {
        let function = &self.function.item.sig.ident;
        if self.is_method() { format_ident!("__{function}_home") } else { Ident::new("__home", Span::call_site()) }
    }

    /// The empty enum whose functions the companions are.
    pub(crate) fn owner(&self) -> Ident {
        match &self.options.companions {
            Companions::Renamed(name) => name.clone(),
            _ => self.function.item.sig.ident.clone(),
        }
    }

    /// Where the companions are found.
    pub(crate) fn path(&self) -> TokenStream {
        if self.is_method() {
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

/// Whether `tokens` call a function of this name.
fn calls(tokens: TokenStream, name: &Ident) -> bool {
    let mut last_is_name = false;
    tokens.into_iter().any(|tree| match tree {
        TokenTree::Group(group) => std::mem::take(&mut last_is_name) || calls(group.stream(), name),
        TokenTree::Ident(ident) => {
            last_is_name = ident == *name;
            false
        }
        _ => {
            last_is_name = false;
            false
        }
    })
}
