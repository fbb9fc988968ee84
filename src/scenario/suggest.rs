//! "Did you mean …?"

/// The candidate that a misspelt word most likely meant, if one is near enough.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let word = word.to_lowercase();
    // One slip for each three letters: more of them make it another word.
    let slips_max = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .filter(|&(slips, _)| slips <= slips_max)
        .min_by_key(|&(slips, _)| slips)
        .map(|(_, candidate)| candidate)
}

/// A hint that names the nearest candidate, or else all of them if they are few.
pub(crate) fn hint<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str> + Clone,
) -> Option<String> {
    /// More than these are no help to read.
    const LISTED_MAX: usize = 48;
    if let Some(near) = nearest(word, candidates.clone()) {
        return Some(format!("did you mean `{near}`?"));
    }
    let all: Vec<&str> = candidates.into_iter().collect();
    let listed = 1..=LISTED_MAX;
    listed.contains(&all.len()).then(|| format!("one of: {}", all.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        let steps = ["partition", "pause", "restart", "start", "segfault"];
        assert_eq!(nearest("segfualt", steps), Some("segfault"));
        assert_eq!(nearest("Restart", steps), Some("restart"));
        assert_eq!(nearest("partitoin", steps), Some("partition"));
        assert_eq!(nearest("reboot", steps), None);
        assert_eq!(nearest("", steps), None);
    }

    #[test]
    fn a_short_list_is_shown_where_nothing_is_near() {
        assert_eq!(hint("x9", ["ok", "fail"]).as_deref(), Some("one of: ok, fail"));
        assert_eq!(hint("fial", ["ok", "fail"]).as_deref(), Some("did you mean `fail`?"));
        assert_eq!(hint("x", []), None);
    }
}
