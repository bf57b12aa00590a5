//! What an attribute says: `ttl = "10s", key = "user:{id}", skip(pool)`.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::{
    Error, Expr, ExprLit, Ident, Lit, LitBool, LitStr, Result, Token,
    ext::IdentExt as _,
    parenthesized,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
};

use crate::duration;

/// The options of `#[cached]` and `#[cached_many]`.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) cache: Place,
    pub(crate) ttl: Option<Lifetime>,
    pub(crate) key: Key,
    pub(crate) namespace: Option<Expr>,
    pub(crate) skip: Vec<Ident>,
    pub(crate) unless: Option<Expr>,
    pub(crate) when: Option<Expr>,
    pub(crate) if_absent: Switch,
    pub(crate) negative_ttl: Option<TokenStream>,
    pub(crate) grace: Option<TokenStream>,
    pub(crate) policy: Option<Expr>,
    pub(crate) refresh: Option<Expr>,
    pub(crate) none: Option<Absence>,
    pub(crate) single_flight: Option<LitBool>,
    pub(crate) errors: Errors,
    pub(crate) companions: Companions,
    pub(crate) keys: Option<Ident>,
}

/// `cache = …`
#[derive(Default)]
pub(crate) enum Place {
    #[default]
    Default,
    Alias(LitStr),
    Url(LitStr),
    Expression(Box<Expr>),
}

/// `ttl = …`
pub(crate) enum Lifetime {
    /// Known before the function is called.
    Given(TokenStream),
    /// A closure of what it returned.
    OfValue(Box<Expr>),
}

/// `key = …`
#[derive(Default)]
pub(crate) enum Key {
    #[default]
    Canonical,
    Readable,
    Hashed,
    Format(LitStr),
    Function(Box<Expr>),
    Expression(Box<Expr>),
}

/// `none = …`
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absence {
    Miss,
    Negative,
    Value,
}

/// `errors = …`
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Errors {
    #[default]
    Shared,
    Each,
}

/// `companions = …`
#[derive(Default)]
pub(crate) enum Companions {
    #[default]
    Named,
    Renamed(Ident),
    /// Functions beside it, in its impl.
    Beside,
    None,
}

/// An option that is there or not.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Switch {
    #[default]
    Off,
    On,
}

const KNOWN: &str = "cache, companions, errors, grace, if_absent, key, keys, namespace, negative_ttl, none, policy, refresh, \
                     single_flight, skip(…), ttl, unless, when";

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let (mut options, mut seen) = (Self::default(), Vec::new());
        while !input.is_empty() {
            let name = Ident::parse_any(input)?;
            if seen.contains(&name) {
                return Err(Error::new(name.span(), format!("`{name}` is given twice")));
            }
            options.take(&name, input)?;
            seen.push(name);
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        options.check(&seen)?;
        Ok(options)
    }
}

impl Options {
    fn take(&mut self, name: &Ident, input: ParseStream<'_>) -> Result<()> {
        let text = name.to_string();
        if text == "skip" {
            let names;
            parenthesized!(names in input);
            self.skip =
                Punctuated::<Ident, Token![,]>::parse_terminated_with(&names, Ident::parse_any)?.into_iter().collect();
            return Ok(());
        }
        if text == "if_absent" && !input.peek(Token![=]) {
            self.if_absent = Switch::On;
            return Ok(());
        }
        if !KNOWN.split(", ").any(|known| known == text) {
            return Err(Error::new(name.span(), format!("unknown option `{text}`; known: {KNOWN}")));
        }
        input.parse::<Token![=]>()?;
        match text.as_str() {
            "if_absent" => {
                let on: LitBool = input.parse()?;
                self.if_absent = if on.value { Switch::On } else { Switch::Off };
            }
            "single_flight" => self.single_flight = Some(input.parse()?),
            "keys" => {
                let name: LitStr = input.parse()?;
                self.keys = Some(name.parse()?);
            }
            "none" => {
                let word = [("miss", Absence::Miss), ("negative", Absence::Negative), ("value", Absence::Value)];
                self.none = Some(choose(&input.parse()?, &word)?);
            }
            "errors" => self.errors = choose(&input.parse()?, &[("each", Errors::Each)])?,
            "companions" => {
                let name = Ident::parse_any(input)?;
                self.companions = match name.to_string().as_str() {
                    "none" => Companions::None,
                    "Self" => Companions::Beside,
                    _ => Companions::Renamed(name),
                };
            }
            _ => self.take_expression(&text, input.parse()?)?,
        }
        Ok(())
    }

    fn take_expression(&mut self, name: &str, expression: Expr) -> Result<()> {
        match name {
            "cache" => {
                self.cache = match literal(&expression) {
                    Some(url) if url.value().contains("://") => Place::Url(url.clone()),
                    Some(alias) => Place::Alias(alias.clone()),
                    None => Place::Expression(Box::new(expression)),
                }
            }
            "key" => {
                self.key = match (literal(&expression), &expression) {
                    (Some(format), _) => Key::Format(format.clone()),
                    (None, Expr::Path(path)) if path.path.is_ident("readable") => Key::Readable,
                    (None, Expr::Path(path)) if path.path.is_ident("hashed") => Key::Hashed,
                    (None, Expr::Path(_) | Expr::Closure(_)) => Key::Function(Box::new(expression)),
                    (None, _) => Key::Expression(Box::new(expression)),
                }
            }
            "ttl" => {
                self.ttl = Some(match &expression {
                    Expr::Closure(_) => Lifetime::OfValue(Box::new(expression)),
                    _ => Lifetime::Given(time(&expression)?),
                });
            }
            "grace" => self.grace = Some(time(&expression)?),
            "negative_ttl" => self.negative_ttl = Some(time(&expression)?),
            "namespace" => self.namespace = Some(expression),
            "policy" => self.policy = Some(expression),
            "refresh" => self.refresh = Some(expression),
            "unless" => self.unless = Some(expression),
            _ => self.when = Some(expression),
        }
        Ok(())
    }

    /// Finds what does not fit together.
    fn check(&self, given: &[Ident]) -> Result<()> {
        let span = |name: &str| given.iter().find(|option| *option == name).map_or_else(Span::call_site, Ident::span);
        if self.none == Some(Absence::Negative) && self.negative_ttl.is_none() {
            return Err(Error::new(
                span("none"),
                "`none = \"negative\"` needs `negative_ttl = \"…\"`: how long it is remembered that there is nothing",
            ));
        }
        if let (Some(Absence::Miss | Absence::Value), Some(_)) = (self.none, &self.negative_ttl) {
            return Err(Error::new(span("negative_ttl"), "`negative_ttl` needs `none = \"negative\"`, or no `none`"));
        }
        if self.single_flight.as_ref().is_some_and(|shared| !shared.value) {
            for name in ["negative_ttl", "grace", "policy", "errors"] {
                if given.iter().any(|option| option == name) {
                    return Err(Error::new(
                        span(name),
                        format!("`{name}` is about shared loads: drop `single_flight = false`"),
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Whether `tokens` mention one of `names`.
pub(crate) fn mentions(tokens: TokenStream, names: &[Ident]) -> bool {
    tokens.into_iter().any(|tree| match tree {
        TokenTree::Group(group) => mentions(group.stream(), names),
        TokenTree::Ident(ident) => names.contains(&ident),
        TokenTree::Literal(literal) => {
            let text = literal.to_string();
            names.iter().any(|name| text.contains(&format!("{{{name}")))
        }
        TokenTree::Punct(_) => false,
    })
}

fn literal(expression: &Expr) -> Option<&LitStr> {
    match expression {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text),
        _ => None,
    }
}

/// A duration: text, or any expression.
fn time(expression: &Expr) -> Result<TokenStream> {
    match expression {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => duration::parse(text),
        Expr::Lit(ExprLit { lit: Lit::Int(_) | Lit::Float(_), .. }) => {
            Err(Error::new_spanned(expression, "a duration has a unit: write \"10s\", or an expression of a Duration"))
        }
        _ => Ok(expression.to_token_stream()),
    }
}

fn choose<T: Copy>(word: &LitStr, choices: &[(&str, T)]) -> Result<T> {
    let found = choices.iter().find(|(name, _)| *name == word.value());
    found.map(|(_, choice)| *choice).ok_or_else(|| {
        let known: Vec<String> = choices.iter().map(|(name, _)| format!("{name:?}")).collect();
        Error::new(word.span(), format!("expected {}, found {:?}", known.join(" or "), word.value()))
    })
}
