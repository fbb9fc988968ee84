//! Which directories there are on the machine where redis-cli runs: those of any Unix in which people
//! keep files. Nobody can make others.

/// They, sorted. The root is not listed.
const DIRECTORIES: [&str; 9] =
    ["/home", "/media", "/mnt", "/opt", "/root", "/srv", "/tmp", "/var", "/var/tmp"];

/// The one that the tool is started in.
const WORKING_DIRECTORY: &str = "/root";

/// Why a file cannot be created, in the words of the operating system.
pub(super) fn create(path: &str) -> Result<(), String> {
    let (directory, name) = path.rsplit_once('/').map_or((".", path), |(directory, name)| {
        // What stands before the slash of `/name` is the root.
        (if directory.is_empty() { "/" } else { directory }, name)
    });
    if path.is_empty() || !exists(directory) {
        return Err("No such file or directory".to_owned());
    }
    match name {
        "" | "." | ".." => Err("Is a directory".to_owned()),
        _ if exists(path) => Err("Is a directory".to_owned()),
        _ => Ok(()),
    }
}

/// Whether a path leads to a directory, over directories alone.
fn exists(path: &str) -> bool {
    let mut at = if path.starts_with('/') { String::new() } else { WORKING_DIRECTORY.to_owned() };
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => at.truncate(at.rfind('/').unwrap_or(0)),
            _ => at.extend(["/", name]),
        }
        if !at.is_empty() && DIRECTORIES.binary_search(&at.as_str()).is_err() {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_created_in_directories_that_exist() {
        for path in ["x", "./x", "/x", "/tmp/x", "/tmp//x", "/var/../tmp/x", "../home/x", "../../x"]
        {
            assert_eq!(create(path), Ok(()), "{path}");
        }
        for path in ["", "backups/x", "/nonexistent/x", "/tmp/backups/x", "/nonexistent/../tmp/x"] {
            assert_eq!(create(path), Err("No such file or directory".to_owned()), "{path}");
        }
        for path in ["/", "/tmp", "/tmp/", ".", ".."] {
            assert_eq!(create(path), Err("Is a directory".to_owned()), "{path}");
        }
    }

    #[test]
    fn directories_are_found() {
        assert!(DIRECTORIES.is_sorted());
        assert!(DIRECTORIES.iter().all(|directory| exists(directory)) && exists(WORKING_DIRECTORY));
    }
}
