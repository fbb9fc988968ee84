//! How replies look when they are printed (cli §18.2).

use super::options::{Format, Options};
use crate::resp::Reply;

/// The text of a reply, in the format that the options ask for. `verbatim` replies (INFO,
/// CLUSTER NODES, …) are printed as they are in every format.
pub(super) fn reply(reply: &Reply, options: &Options, verbatim: bool) -> Vec<u8> {
    let mut text = Vec::new();
    match options.format {
        _ if verbatim => push_raw(reply, &options.element_delimiter, &mut text),
        Format::Formatted => push_formatted(reply, "", &mut text),
        Format::Raw => {
            push_raw(reply, &options.element_delimiter, &mut text);
            text.extend(options.reply_delimiter.as_bytes());
        }
        Format::Csv => {
            push_csv(reply, &mut text);
            text.push(b'\n');
        }
    }
    text
}

/// The raw text of a reply with one element per line, as `--cluster call` prints it (cli §13).
pub(crate) fn raw(reply: &Reply) -> Vec<u8> {
    let mut text = Vec::new();
    push_raw(reply, "\n", &mut text);
    text
}

fn push_formatted(reply: &Reply, prefix: &str, text: &mut Vec<u8>) {
    match reply {
        Reply::Status(status) => text.extend(status.as_bytes()),
        Reply::Error(error) => text.extend(format!("(error) {error}").bytes()),
        Reply::Int(number) => text.extend(format!("(integer) {number}").bytes()),
        Reply::Bulk(bytes) => push_quoted(bytes, text),
        Reply::Nil | Reply::NilArray => text.extend(b"(nil)"),
        Reply::Array(elements) if elements.is_empty() => text.extend(b"(empty array)"),
        Reply::Array(elements) => return push_numbered(elements, prefix, text),
    }
    text.push(b'\n');
}

/// The elements of an array, numbered. The first stands on the line of its parent; the others begin
/// with the parents' indentation.
fn push_numbered(elements: &[Reply], prefix: &str, text: &mut Vec<u8>) {
    let width = elements.len().to_string().len();
    let inner = format!("{prefix}{:1$}", "", width + 2);
    for (index, element) in elements.iter().enumerate() {
        let indent = if index == 0 { "" } else { prefix };
        text.extend(format!("{indent}{:width$}) ", index + 1).bytes());
        push_formatted(element, &inner, text);
    }
}

fn push_raw(reply: &Reply, delimiter: &str, text: &mut Vec<u8>) {
    match reply {
        Reply::Status(status) => text.extend(status.as_bytes()),
        Reply::Error(error) => {
            text.extend(error.as_bytes());
            text.push(b'\n');
        }
        Reply::Int(number) => text.extend(number.to_string().bytes()),
        Reply::Bulk(bytes) => text.extend(bytes),
        Reply::Nil | Reply::NilArray => {}
        Reply::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    text.extend(delimiter.as_bytes());
                }
                push_raw(element, delimiter, text);
            }
        }
    }
}

fn push_csv(reply: &Reply, text: &mut Vec<u8>) {
    match reply {
        Reply::Status(status) => push_quoted(status.as_bytes(), text),
        Reply::Error(error) => {
            text.extend(b"ERROR,");
            push_quoted(error.as_bytes(), text);
        }
        Reply::Int(number) => text.extend(number.to_string().bytes()),
        Reply::Bulk(bytes) => push_quoted(bytes, text),
        Reply::Nil | Reply::NilArray => text.extend(b"NULL"),
        Reply::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    text.push(b',');
                }
                push_csv(element, text);
            }
        }
    }
}

fn push_quoted(bytes: &[u8], text: &mut Vec<u8>) {
    text.push(b'"');
    for &byte in bytes {
        match byte {
            b'\\' | b'"' => text.extend([b'\\', byte]),
            b'\n' => text.extend(b"\\n"),
            b'\r' => text.extend(b"\\r"),
            b'\t' => text.extend(b"\\t"),
            0x07 => text.extend(b"\\a"),
            0x08 => text.extend(b"\\b"),
            b' '..=b'~' => text.push(byte),
            _ => text.extend(format!("\\x{byte:02x}").bytes()),
        }
    }
    text.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formatted(reply: &Reply) -> String {
        let mut text = Vec::new();
        push_formatted(reply, "", &mut text);
        String::from_utf8(text).unwrap()
    }

    fn csv(reply: &Reply) -> String {
        let mut text = Vec::new();
        push_csv(reply, &mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn simple_replies_show_their_type_to_people_18_2() {
        assert_eq!(formatted(&Reply::ok()), "OK\n");
        assert_eq!(formatted(&Reply::err("no")), "(error) ERR no\n");
        assert_eq!(formatted(&Reply::Int(5)), "(integer) 5\n");
        assert_eq!(formatted(&Reply::Nil), "(nil)\n");
        assert_eq!(formatted(&Reply::Array(vec![])), "(empty array)\n");
        assert_eq!(
            formatted(&Reply::bulk("a\"b\\\n\x07\x01\u{e9}")),
            "\"a\\\"b\\\\\\n\\a\\x01\\xc3\\xa9\"\n"
        );
    }

    #[test]
    fn array_numbers_are_aligned_and_nested_lines_indented_18_2() {
        let inner = Reply::Array(vec![Reply::Int(1), Reply::bulk("x")]);
        let mut elements = vec![Reply::Int(0); 9];
        elements.push(inner);
        let text = formatted(&Reply::Array(elements));
        assert!(text.starts_with(" 1) (integer) 0\n 2) (integer) 0\n"), "{text}");
        assert!(text.ends_with("\n10) 1) (integer) 1\n    2) \"x\"\n"), "{text}");
    }

    #[test]
    fn raw_errors_carry_their_own_newline_18_2() {
        assert_eq!(raw(&Reply::err("no")), b"ERR no\n");
        assert_eq!(raw(&Reply::Nil), b"");
        let nested =
            Reply::Array(vec![Reply::bulk("a"), Reply::Array(vec![Reply::Int(1), Reply::Int(2)])]);
        assert_eq!(raw(&nested), b"a\n1\n2");
    }

    #[test]
    fn csv_quotes_text_and_names_errors_18_2() {
        let reply =
            Reply::Array(vec![Reply::bulk("a"), Reply::Int(1), Reply::Nil, Reply::err("x")]);
        assert_eq!(csv(&reply), "\"a\",1,NULL,ERROR,\"ERR x\"");
        assert_eq!(csv(&Reply::ok()), "\"OK\"");
    }
}
