//! `redis://[[user:]password@]host[:port][/database]`, the value of `-u` (cli §18.0).

use super::numbers::atoi;
use super::options::Options;

/// Applies a URI to the options; the error is what is printed on standard error.
pub(super) fn apply(options: &mut Options, uri: &str) -> Result<(), String> {
    let scheme = "redis://";
    if uri.to_ascii_lowercase().starts_with("rediss://") {
        return Err("rediss:// is only supported when redis-cli is compiled with OpenSSL\n".into());
    }
    if !uri.to_ascii_lowercase().starts_with(scheme) {
        return Err("Invalid URI scheme\n".into());
    }
    let mut rest = &uri[scheme.len()..];
    if let Some((user_info, after)) = rest.split_once('@') {
        let password = match user_info.split_once(':') {
            Some((user, password)) => {
                options.credentials.user = Some(percent_decode(user)?);
                password
            }
            None => user_info,
        };
        options.credentials.password = Some(percent_decode(password)?);
        rest = after;
    }
    let (place, database) = match rest.split_once('/') {
        Some((place, database)) => (place, database),
        None => (rest, ""),
    };
    if !place.is_empty() {
        let host = match place.split_once(':') {
            Some((host, port)) => {
                options.address.port = atoi(port);
                host
            }
            None => place,
        };
        options.address.host = host.to_owned();
    }
    if !database.is_empty() {
        options.database = atoi(database);
    }
    Ok(())
}

fn percent_decode(text: &str) -> Result<String, String> {
    let mut decoded = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte != b'%' {
            decoded.push(byte);
            rest = after;
            continue;
        }
        let digits = after.get(..2).ok_or("Incomplete URI encoding\n")?;
        let digits = std::str::from_utf8(digits).ok().filter(|text| !text.starts_with('+'));
        let code = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        decoded.push(code.ok_or("Illegal character in URI encoding\n")?);
        rest = &after[2..];
    }
    Ok(String::from_utf8_lossy(&decoded).into_owned())
}

#[cfg(test)]
mod tests {
    use crate::admin::Shell;
    use crate::admin::options::{Options, Refusal};

    fn parse(uri: &str) -> Result<Options, Refusal> {
        Options::parse(&["-u".to_owned(), uri.to_owned()], &Shell::default())
    }

    #[test]
    fn a_uri_gives_host_port_database_and_credentials_18_0() {
        let options = parse("redis://me:p%40ss@example:7000/2").unwrap();
        assert_eq!(options.address.to_string(), "example:7000");
        assert_eq!(options.database, 2);
        assert_eq!(options.credentials.user.as_deref(), Some("me"));
        assert_eq!(options.credentials.password.as_deref(), Some("p@ss"));
    }

    #[test]
    fn what_a_uri_does_not_say_keeps_its_default_18_0() {
        let options = parse("redis://secret@").unwrap();
        assert_eq!(options.address.to_string(), "127.0.0.1:6379");
        assert_eq!(options.credentials.password.as_deref(), Some("secret"));
        assert_eq!(parse("redis:///3").unwrap().database, 3);
    }

    #[test]
    fn a_broken_uri_is_refused_18_0() {
        for (uri, text) in [
            ("http://x", "Invalid URI scheme\n"),
            ("redis://a%4@x", "Incomplete URI encoding\n"),
            ("redis://a%zz@x", "Illegal character in URI encoding\n"),
        ] {
            assert!(matches!(parse(uri), Err(Refusal::Error(error)) if error == text), "{uri}");
        }
    }
}
