//! No circle of files in `src`.
//!
//! A file *uses* another one if a path in its code, in a `use` or elsewhere, ends at something that the other
//! file defines. What a file re-exports (`pub use`, or a `use` that its children reach through `super`) is
//! followed to where it is defined. Declaring a module is not a use, nor is re-exporting something without
//! naming it otherwise: a `mod.rs` that only declares and re-exports is in no circle. So a `mod.rs` either
//! calls its children, or defines what they share, in a file of its own where it must do both. Methods are
//! not followed: an `impl` in a child may be called from anywhere. Tests inside a file are left out.

use std::collections::{BTreeMap, BTreeSet};

use super::code::{bare, closing, words};

type Path = Vec<String>;

/// One name that a `use` imports: its position, its path, and its local name.
struct Import {
    from: usize,
    to: usize,
    public: bool,
    path: Path,
    alias: String,
}

struct File {
    name: String,
    module: Path,
    code: String,
    imports: Vec<Import>,
    /// Names of everything defined in it, at any depth.
    defines: BTreeSet<String>,
    /// Modules inside the file: from, to, name.
    inner: Vec<(usize, usize, String)>,
}

fn identifier(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The word at the beginning.
fn first_word(code: &str) -> &str {
    let code = code.trim_start();
    &code[..code.find(|c| !identifier(c)).unwrap_or(code.len())]
}

fn blank(code: &mut String, from: usize, to: usize) {
    code.replace_range(from..to, &" ".repeat(to - from));
}

impl File {
    fn new(name: &str, text: &str) -> File {
        let mut code: String = bare(text).chars().map(|c| if c.is_ascii() { c } else { '_' }).collect();
        // `pub(in …)` says who may see something, not what is used.
        while let Some(at) = code.find("(in ") {
            let end = closing(&code, at).unwrap() + 1;
            blank(&mut code, at, end);
        }
        while let Some(at) = code.find("#[cfg(test)]") {
            let rest = code[at + 12..].trim_start();
            let body = at + code[at..].len() - rest.len();
            let inline = rest.starts_with("mod ")
                && rest.find('{').is_some_and(|open| rest.find(';').is_none_or(|end| open < end));
            let end =
                if inline { closing(&code, body + rest.find('{').unwrap()).unwrap() + 1 } else { at + 12 };
            blank(&mut code, at, end);
        }
        let parts: Path =
            name.trim_start_matches("src/").trim_end_matches(".rs").split('/').map(Into::into).collect();
        let module = match parts.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["lib"] => Vec::new(),
            [.., "mod"] => parts[..parts.len() - 1].to_vec(),
            _ => parts,
        };
        let inner = words(&code, "mod").filter_map(|at| {
            let name = first_word(&code[at + 3..]);
            let open = code[at..].find('{').map(|n| at + n)?;
            let only = code[at + 3..open].trim() == name;
            only.then(|| (at, closing(&code, open).unwrap(), name.to_string()))
        });
        let inner = inner.collect();
        let mut file =
            File { name: name.into(), module, imports: Vec::new(), defines: BTreeSet::new(), inner, code };
        for word in ["fn", "struct", "enum", "trait", "const", "static", "type", "union"] {
            file.defines
                .extend(words(&file.code, word).map(|at| first_word(&file.code[at + word.len()..]).into()));
        }
        file.defines
            .extend(words(&file.code, "macro_rules").map(|at| first_word(&file.code[at + 12..]).into()));
        let mut imports = Vec::new();
        // `use<…>` says what a type captures.
        for at in words(&file.code, "use").filter(|at| file.code[at + 3..].starts_with(char::is_whitespace)) {
            let Some(end) = file.code[at..].find(';').map(|n| at + n + 1) else { continue };
            let before = file.code[..at].trim_end();
            let public = before.ends_with("pub")
                || (before.ends_with(')') && before[..before.rfind('(').unwrap()].ends_with("pub"));
            let mut names = Vec::new();
            tree(&file.code[at + 3..end - 1], &[], &mut names);
            imports.extend(names.into_iter().map(|(path, alias)| Import {
                from: at,
                to: end,
                public,
                path,
                alias,
            }));
        }
        file.imports = imports;
        file
    }

    /// The module that code at a place belongs to.
    fn scope(&self, at: usize) -> Path {
        let inner = self.inner.iter().filter(|(from, to, _)| (*from..*to).contains(&at));
        self.module.iter().cloned().chain(inner.map(|(_, _, name)| name.clone())).collect()
    }

    /// Whether a name occurs in the code, outside of declarations of modules and public imports.
    fn mentions(&self, name: &str) -> bool {
        words(&self.code, name).any(|at| {
            let imported = self.imports.iter().any(|i| i.public && (i.from..i.to).contains(&at));
            let declared = self.code[..at].trim_end().ends_with("mod");
            !imported && !declared
        })
    }
}

/// The names of a `use` tree.
fn tree(text: &str, before: &[String], found: &mut Vec<(Path, String)>) {
    let text = text.trim();
    if let Some(open) = text.find('{') {
        let head = text[..open].split("::").map(str::trim).filter(|s| !s.is_empty()).map(String::from);
        let path: Path = before.iter().cloned().chain(head).collect();
        let mut rest = &text[open + 1..closing(text, open).unwrap()];
        while !rest.trim().is_empty() {
            let mut depth = 0;
            let end = rest.find(|c| {
                depth += i32::from(c == '{') - i32::from(c == '}');
                c == ',' && depth == 0
            });
            let end = end.unwrap_or(rest.len());
            tree(&rest[..end], &path, found);
            rest = rest.get(end + 1..).unwrap_or_default();
        }
        return;
    }
    if text.is_empty() {
        return;
    }
    let (path, alias) = text.split_once(" as ").map_or((text, None), |(p, a)| (p, Some(a.trim())));
    let mut path: Path = before
        .iter()
        .cloned()
        .chain(path.split("::").map(|s| s.trim().into()))
        .filter(|s: &String| !s.is_empty())
        .collect();
    if path.len() > 1 && path.last().is_some_and(|l| l == "self") {
        path.pop();
    }
    let alias = alias.or(path.last().map(String::as_str)).unwrap_or_default().to_string();
    found.push((path, alias));
}

struct Files {
    all: Vec<File>,
    by_module: BTreeMap<Path, usize>,
}

impl Files {
    fn new(texts: impl IntoIterator<Item = (String, String)>) -> Files {
        let all: Vec<File> = texts.into_iter().map(|(name, text)| File::new(&name, &text)).collect();
        let by_module = all.iter().enumerate().map(|(i, f)| (f.module.clone(), i)).collect();
        Files { all, by_module }
    }

    /// A path from the crate's root on; none if it leads into another crate.
    fn absolute(&self, file: &File, at: usize, path: &[String]) -> Option<Path> {
        let scope = file.scope(at);
        let ups = path.iter().take_while(|p| *p == "super").count();
        let join = |base: &[String], rest: &[String]| Some([base, rest].concat());
        match path.first()?.as_str() {
            "crate" => join(&[], &path[1..]),
            "self" => join(&scope, &path[1..]),
            "super" => join(&scope[..scope.len().checked_sub(ups)?], &path[ups..]),
            child => {
                let module = [&file.module[..], &[child.to_string()]].concat();
                self.by_module.contains_key(&module).then(|| [&file.module[..], path].concat())
            }
        }
    }

    /// The file that defines what a path ends at.
    fn resolve(&self, path: &[String], depth: usize) -> Option<usize> {
        let mut len = path.len();
        while !self.by_module.contains_key(&path[..len]) {
            len = len.checked_sub(1)?;
        }
        let at = self.by_module[&path[..len]];
        let file = &self.all[at];
        let Some(name) = path.get(len).filter(|name| *name != "*" && depth < 12) else { return Some(at) };
        let outer = file.imports.iter().filter(|i| file.scope(i.from).len() == len);
        let named = |i: &&Import| i.alias == *name && i.path.last().is_some_and(|l| l != "*");
        if let Some(import) = outer.clone().find(named) {
            let target = self.absolute(file, import.from, &import.path)?;
            return self.resolve(&[&target[..], &path[len + 1..]].concat(), depth + 1);
        }
        if file.defines.contains(name) {
            return Some(at);
        }
        for import in outer.filter(|i| i.path.last().is_some_and(|l| l == "*")) {
            let whole = &import.path[..import.path.len() - 1];
            let target = self.absolute(file, import.from, whole).and_then(|t| self.resolve(&t, depth + 1));
            if let Some(found) = target.filter(|t| self.all[*t].defines.contains(name)) {
                return Some(found);
            }
        }
        Some(at)
    }

    /// Files that a file uses.
    fn uses(&self, at: usize) -> BTreeSet<usize> {
        let file = &self.all[at];
        let mut paths: Vec<(usize, Path)> = Vec::new();
        for import in &file.imports {
            if !import.public || (import.alias != "*" && file.mentions(&import.alias)) {
                paths.push((import.from, import.path.clone()));
            }
        }
        let imported = |at: usize| file.imports.iter().any(|i| (i.from..i.to).contains(&at));
        let mut from = 0;
        while let Some(next) = file.code[from..].find("::").map(|n| from + n) {
            let head = file.code[..next].trim_end();
            let start = head.rfind(|c| !identifier(c)).map_or(0, |n| n + 1);
            let mut path = vec![head[start..].to_string()];
            let mut end = next;
            while file.code[end..].trim_start().starts_with("::") {
                end = file.code.len() - file.code[end..].trim_start().len() + 2;
                let word = first_word(&file.code[end..]);
                if word.is_empty() {
                    break;
                }
                path.push(word.into());
                end = file.code.len() - file.code[end..].trim_start().len() + word.len();
            }
            if !imported(next) && !path[0].is_empty() && path.len() > 1 {
                paths.push((next, path));
            }
            from = end.max(next + 2);
        }
        let found =
            paths.iter().filter_map(|(place, path)| self.resolve(&self.absolute(file, *place, path)?, 0));
        found.filter(|other| *other != at).collect()
    }

    /// Circles, each the shortest through one of its files.
    fn circles(&self) -> BTreeSet<Vec<&str>> {
        let uses: Vec<BTreeSet<usize>> = (0..self.all.len()).map(|at| self.uses(at)).collect();
        let mut found = BTreeSet::new();
        for start in 0..self.all.len() {
            let mut before = BTreeMap::new();
            let mut queue = std::collections::VecDeque::from([start]);
            while let Some(at) = queue.pop_front() {
                for next in &uses[at] {
                    if !before.contains_key(next) {
                        before.insert(*next, at);
                        queue.push_back(*next);
                    }
                }
            }
            let Some(last) = before.get(&start) else { continue };
            let (mut circle, mut at) = (vec![start], *last);
            while at != start {
                circle.push(at);
                at = before[&at];
            }
            circle.reverse();
            // One circle is found from each of its files: it begins at the first of them.
            let least = circle.iter().enumerate().min_by_key(|(_, at)| **at).map_or(0, |(i, _)| i);
            circle.rotate_left(least);
            found.insert(circle.into_iter().map(|at| self.all[at].name.as_str()).collect());
        }
        found
    }
}

#[test]
fn files_do_not_use_each_other_in_circles() {
    let files = Files::new(super::files("src", ".rs"));
    let circles = files.circles();
    let wrong: Vec<String> = circles.iter().map(|c| c.join(" → ")).collect();
    super::none("files that use each other in a circle", &wrong);
}

#[test]
fn a_circle_is_found() {
    let circles = |files: &[(&str, &str)]| -> Vec<String> {
        let files = Files::new(files.iter().map(|(n, t)| (format!("src/{n}"), (*t).to_string())));
        files.circles().into_iter().map(|c| c.join(" ")).collect()
    };
    // Siblings, by a `use` and by a path; a chain of three.
    let two = [("a/mod.rs", "mod b;\nmod c;"), ("a/b.rs", "use super::c::C;\npub struct B;")];
    let path = ("a/c.rs", "pub struct C;\nfn f() { let x = crate::a::b::B; }");
    assert_eq!(circles(&[two[0], two[1], path]), ["src/a/b.rs src/a/c.rs"]);
    let tests = ("a/c.rs", "pub struct C;\n#[cfg(test)]\nmod tests { use super::super::b::B; }");
    assert!(circles(&[two[0], two[1], tests]).is_empty());
    // A parent that calls a child which uses what the parent defines.
    let child = ("a/b.rs", "use super::{Shared, c::C};\npub fn b() {}");
    let calls = "mod b;\nmod c;\npub struct Shared;\npub fn a() { b::b() }";
    let c = ("a/c.rs", "pub struct C;");
    assert_eq!(circles(&[("a/mod.rs", calls), child, c]), ["src/a/mod.rs src/a/b.rs"]);
    // It may declare, re-export, and define what they share; a re-export leads to where a thing is defined.
    let shares = "mod b;\nmod c;\npub use b::b;\npub use c::C;\npub struct Shared;";
    assert!(circles(&[("a/mod.rs", shares), child, c]).is_empty());
    let again = ("a/c.rs", "use super::b;\npub struct C;\nfn c() { b() }");
    assert_eq!(circles(&[("a/mod.rs", shares), child, again]), ["src/a/b.rs src/a/c.rs"]);
}
