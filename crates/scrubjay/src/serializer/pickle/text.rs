//! Text as old protocols spell it: quoted, or with escapes.

use super::machine::{Result, malformed};
use crate::serializer::failure::Failure;

/// What a Python 2 string literal stands for, in quotes and with escapes.
pub(super) fn unquoted(literal: &[u8]) -> Result<Vec<u8>> {
    let [quote @ (b'\'' | b'"'), inside @ .., last] = literal else { return Err(malformed()) };
    if quote != last {
        return Err(malformed());
    }
    let mut out = Vec::with_capacity(inside.len());
    let mut bytes = inside.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        out.push(match bytes.next().ok_or_else(malformed)? {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'x' => u8::try_from(hexadecimal(&mut bytes, 2)?).map_err(Failure::new)?,
            escaped @ (b'\\' | b'\'' | b'"') => escaped,
            _ => return Err(malformed()),
        });
    }
    Ok(out)
}

/// What Python's *raw-unicode-escape* stands for: Latin-1, and everything else as `\uXXXX` or `\UXXXXXXXX`.
pub(super) fn unescaped(line: &[u8]) -> Result<String> {
    let mut out = String::with_capacity(line.len());
    let mut bytes = line.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        let digits = match (byte, bytes.peek()) {
            (b'\\', Some(b'u')) => 4,
            (b'\\', Some(b'U')) => 8,
            _ => {
                out.push(byte.into());
                continue;
            }
        };
        bytes.next();
        out.push(char::from_u32(hexadecimal(&mut bytes, digits)?).ok_or_else(malformed)?);
    }
    Ok(out)
}

fn hexadecimal(bytes: &mut impl Iterator<Item = u8>, digits: usize) -> Result<u32> {
    (0..digits).try_fold(0, |number, _| {
        let digit = bytes.next().and_then(|byte| char::from(byte).to_digit(16)).ok_or_else(malformed)?;
        Ok(number << 4 | digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_spellings_of_text_are_read() {
        assert_eq!(unescaped(b"a\\u005c\\U0001f426\xe9\\").unwrap(), "a\\\u{1f426}é\\");
        assert_eq!(unquoted(b"'a\\'\\n\\xff\"'").unwrap(), b"a'\n\xff\"");
        assert!(unescaped(b"\\ud83d").is_err());
        assert!(unquoted(b"'").is_err());
    }
}
