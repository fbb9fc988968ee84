//! Making the output of two clusters comparable: ids, ports and times become placeholders.

/// Replaces every node id by `<id>`.
pub fn ids(text: &str) -> String {
    let mut masked = String::new();
    let mut word = String::new();
    for c in text.chars().chain(['\n']) {
        if c.is_ascii_hexdigit() {
            word.push(c);
            continue;
        }
        match word.len() {
            40 => masked.push_str("<id>"),
            8 if c == '.' => masked.push_str("<id8>"),
            _ => masked.push_str(&word),
        }
        word.clear();
        masked.push(c);
    }
    masked.pop();
    masked
}

/// Sorts lines that stand side by side and begin with the address of a server, with the empty lines
/// behind them.
pub fn sort_by_address(text: &str) -> String {
    let mut sorted = String::new();
    let mut side_by_side: Vec<String> = Vec::new();
    for line in text.split_inclusive('\n').chain([""]) {
        let of_server = line.strip_prefix("*** New timeout set for ").unwrap_or(line);
        if of_server.starts_with("127.0.0.") {
            side_by_side.push(line.to_owned());
        } else if line == "\n"
            && let Some(before) = side_by_side.last_mut()
        {
            before.push('\n');
        } else {
            side_by_side.sort_unstable();
            sorted.extend(side_by_side.drain(..));
            sorted.push_str(line);
        }
    }
    sorted
}

/// Sorts the nodes in each listing (`M: …` and `S: …` with their indented lines), because a real
/// server lists nodes in an order of its own.
pub fn sort_listings(text: &str) -> String {
    let mut sorted = String::new();
    let mut listing: Vec<String> = Vec::new();
    for line in text.split_inclusive('\n') {
        if line.starts_with("M: ") || line.starts_with("S: ") {
            listing.push(line.to_owned());
        } else if line.starts_with("   ")
            && let Some(node) = listing.last_mut()
        {
            node.push_str(line);
        } else {
            flush(&mut listing, &mut sorted);
            sorted.push_str(line);
        }
    }
    flush(&mut listing, &mut sorted);
    sorted
}

fn flush(listing: &mut Vec<String>, text: &mut String) {
    // By address, because ids differ between clusters.
    listing.sort_by_key(|node| node.split_whitespace().nth(2).map(str::to_owned));
    text.extend(listing.drain(..));
}
