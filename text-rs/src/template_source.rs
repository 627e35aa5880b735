//! A template's source before it is parsed. `{% generation %}` and `{% endgeneration %}` are tags
//! of transformers that mark what an assistant says, for training; when a prompt is rendered they
//! only make a scope. They become `with` and `endwith`, which do the same, so that everything else
//! of the tags (white space control, line numbers) stays as it was written.

const TAGS: [(&str, &str); 2] = [("generation", "with"), ("endgeneration", "endwith")];

/// Where a construct that begins with `open` ends: behind `close`, or at the end of the text.
fn end_of(text: &str, from: usize, close: &str) -> usize {
    text[from..]
        .find(close)
        .map_or(text.len(), |at| from + at + close.len())
}

/// The end of a `{% ... %}` or `{{ ... }}`: quoted text in it may hold the closing signs.
fn end_of_code(text: &str, from: usize, close: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = from;
    while at < bytes.len() {
        match bytes[at] {
            quote @ (b'"' | b'\'') => {
                at += 1;
                while at < bytes.len() && bytes[at] != quote {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
            }
            _ if text.is_char_boundary(at) && text[at..].starts_with(close) => {
                return at + close.len()
            }
            _ => at += 1,
        }
    }
    text.len()
}

/// The word of `{%- word -%}` if there is nothing else in the tag.
fn only_word(tag: &str) -> &str {
    let inner = tag.strip_prefix("{%").unwrap_or(tag);
    let inner = inner.strip_suffix("%}").unwrap_or(inner);
    inner
        .trim_start_matches(['-', '+'])
        .trim_end_matches(['-', '+'])
        .trim()
}

pub fn without_generation_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    while let Some(brace) = source[at..].find('{') {
        let begin = at + brace;
        out.push_str(&source[at..begin]);
        let rest = &source[begin..];
        let end = if rest.starts_with("{#") {
            end_of(source, begin + 2, "#}")
        } else if rest.starts_with("{{") {
            end_of_code(source, begin + 2, "}}")
        } else if rest.starts_with("{%") {
            end_of_code(source, begin + 2, "%}")
        } else {
            begin + 1
        };
        let code = &source[begin..end];
        let word = only_word(code);
        let tag = TAGS
            .iter()
            .find(|(name, _)| code.starts_with("{%") && word == *name);
        match tag {
            Some((name, replacement)) => out.push_str(&code.replacen(name, replacement, 1)),
            None => out.push_str(code),
        }
        at = end;
        if code.starts_with("{%") && word == "raw" {
            // What follows is text up to its end, whatever it looks like.
            let is_end = |from: usize| {
                let end = end_of(source, from, "%}");
                only_word(&source[from..end]) == "endraw"
            };
            let close = source[at..]
                .match_indices("{%")
                .map(|(found, _)| at + found)
                .find(|found| is_end(*found))
                .unwrap_or(source.len());
            out.push_str(&source[at..close]);
            at = close;
        }
    }
    out.push_str(&source[at..]);
    out
}
