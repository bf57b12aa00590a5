//! What an attribute stands on: the function's arguments, and the shape of what it returns.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, quote};
use syn::{
    Error, FnArg, GenericArgument, GenericParam, Ident, ItemFn, Pat, PathArguments, Result, ReturnType, Signature, Type,
};

use crate::options::Absence;

/// A function, taken apart.
pub(crate) struct Function {
    pub(crate) item: ItemFn,
    pub(crate) receiver: Option<Span>,
    pub(crate) arguments: Vec<Ident>,
    pub(crate) returns: Type,
    pub(crate) shape: Shape,
}

/// What of the return type is the value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Plain,
    Maybe,
    Tried,
    TriedMaybe,
}

impl Function {
    pub(crate) fn new(item: ItemFn, none: Option<Absence>) -> Result<Self> {
        let signature = &item.sig;
        let refused = signature.constness.map(|token| token.to_token_stream());
        if let Some(token) = refused.or_else(|| signature.unsafety.map(|token| token.to_token_stream())) {
            return Err(Error::new_spanned(&token, format!("a function that is `{token}` cannot be cached")));
        }
        let returns = match &signature.output {
            ReturnType::Type(_, returns) => (**returns).clone(),
            ReturnType::Default => {
                return Err(Error::new_spanned(signature, "a function that returns nothing has nothing to cache"));
            }
        };
        if let Type::ImplTrait(_) = returns {
            return Err(Error::new_spanned(returns, "a cache keeps values of a type that has a name: name it"));
        }
        let (mut receiver, mut arguments) = (None, Vec::new());
        for input in &signature.inputs {
            match input {
                FnArg::Receiver(this) => receiver = Some(this.self_token.span),
                FnArg::Typed(argument) => match &*argument.pat {
                    Pat::Ident(name) => arguments.push(name.ident.clone()),
                    pattern => {
                        return Err(Error::new_spanned(
                            pattern,
                            "a cached function's argument is a plain name: take it apart in the body",
                        ));
                    }
                },
            }
        }
        let shape = shape(&returns, none);
        Ok(Self { item, receiver, arguments, returns, shape })
    }

    pub(crate) fn is_async(&self) -> bool {
        self.item.sig.asyncness.is_some()
    }

    pub(crate) fn returns_result(&self) -> bool {
        matches!(self.shape, Shape::Tried | Shape::TriedMaybe)
    }

    /// The type of the value.
    pub(crate) fn value(&self) -> TokenStream {
        let returns = &self.returns;
        match self.shape {
            Shape::Plain => quote!(#returns),
            Shape::Maybe => quote!(<#returns as ::scrubjay::__cached::AnyOption>::Value),
            Shape::Tried => quote!(<#returns as ::scrubjay::__cached::AnyResult>::Value),
            Shape::TriedMaybe => {
                let inner = quote!(<#returns as ::scrubjay::__cached::AnyResult>::Value);
                quote!(<#inner as ::scrubjay::__cached::AnyOption>::Value)
            }
        }
    }

    /// How the return type is taken apart.
    pub(crate) fn answer(&self) -> TokenStream {
        let returns = &self.returns;
        let shape = match self.shape {
            Shape::Plain => quote!(Plain),
            Shape::Maybe => quote!(Maybe),
            Shape::Tried => quote!(Tried),
            Shape::TriedMaybe => quote!(TriedMaybe),
        };
        quote!(::scrubjay::__cached::#shape<#returns>)
    }

    /// The signature of something beside the function, with the same arguments.
    pub(crate) fn signature(&self, name: &Ident, returns: &TokenStream) -> Signature {
        let mut signature = self.item.sig.clone();
        signature.ident = name.clone();
        signature.output = syn::parse_quote!(-> #returns);
        for input in &mut signature.inputs {
            if let FnArg::Typed(argument) = input {
                argument.attrs.clear();
                if let Pat::Ident(name) = &mut *argument.pat {
                    name.mutability = None;
                }
            } else if let FnArg::Receiver(this) = input
                && this.reference.is_none()
            {
                this.mutability = None;
            }
        }
        signature
    }

    /// What it returns, out of its `Result`.
    pub(crate) fn inner(&self) -> &Type {
        if self.returns_result() { first_argument(&self.returns).unwrap_or(&self.returns) } else { &self.returns }
    }

    /// The names of its type and const parameters.
    pub(crate) fn parameters(&self) -> Vec<&Ident> {
        let parameters = self.item.sig.generics.params.iter();
        parameters
            .filter_map(|parameter| match parameter {
                GenericParam::Type(parameter) => Some(&parameter.ident),
                GenericParam::Const(parameter) => Some(&parameter.ident),
                GenericParam::Lifetime(_) => None,
            })
            .collect()
    }
}

/// The shape of `returns`, as it is written: a name that ends in `Result`, and in it, or instead, `Option`.
fn shape(returns: &Type, none: Option<Absence>) -> Shape {
    let peels = none != Some(Absence::Value);
    if is(returns, |name| name.ends_with("Result")) {
        let inner = first_argument(returns).is_some_and(|inner| is(inner, |name| name == "Option"));
        return if peels && inner { Shape::TriedMaybe } else { Shape::Tried };
    }
    if peels && is(returns, |name| name == "Option") { Shape::Maybe } else { Shape::Plain }
}

/// Whether a type is a path whose last name is `named`.
pub(crate) fn is(a_type: &Type, named: impl Fn(&str) -> bool) -> bool {
    let Type::Path(path) = a_type else { return false };
    path.path.segments.last().is_some_and(|segment| named(&segment.ident.to_string()))
}

fn first_argument(a_type: &Type) -> Option<&Type> {
    arguments(a_type).next()
}

/// The entries' type of a map of ids to entries; none of a type that is not written as one.
pub(crate) fn entry_argument(a_type: &Type) -> Option<&Type> {
    arguments(a_type).nth(1)
}

fn arguments(a_type: &Type) -> impl Iterator<Item = &Type> {
    let last = match a_type {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    };
    let arguments = last.and_then(|segment| match &segment.arguments {
        PathArguments::AngleBracketed(arguments) => Some(&arguments.args),
        _ => None,
    });
    arguments.into_iter().flatten().filter_map(|argument| match argument {
        GenericArgument::Type(inner) => Some(inner),
        _ => None,
    })
}
