//! Masks where any text may follow. llguidance finds most of them by itself and takes a ready mask
//! for the tokens of plain text; but whether a lexeme allows any text it asks of its form, and a
//! pattern that may match anywhere in a string ("[0-9]{4}-[0-9]{2}", without anchors) does not look
//! like it, so that for each token of such a string the whole vocabulary is walked.
//!
//! Here it is asked of the automaton: a state is open if plain text, whatever it is, leads to open
//! states alone, without end and without ending the lexeme. That is looked for only behind a mask
//! that was made the long way and allows all plain tokens, in a bounded number of states, and is
//! remembered; from then on a mask is the plain tokens and a walk over the others.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};

use llguidance::derivre::StateID;
use llguidance::earley::{BiasComputer, ParserRecognizer, SlicedBiasComputer};
use toktrie::{SimpleVob, TokEnv, TokTrie};

/// States that one search may visit, and that are remembered of one grammar.
const SEARCH_MAX: usize = 512;
const KNOWN_MAX: usize = 16_384;

/// A state of the lexer; of which lexer, since clones number their states differently.
type Place = (usize, StateID);

/// Where in a character of UTF-8 a text is: the range of the next byte, and how many follow it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Inside {
    low: u8,
    high: u8,
    more: u8,
}

const BETWEEN: Option<Inside> = None;

fn is_plain_byte(byte: u8) -> bool {
    (0x20..0x7F).contains(&byte) && byte != b'"' && byte != b'\\'
}

fn is_plain(token: &[u8]) -> bool {
    !token.is_empty()
        && std::str::from_utf8(token).is_ok()
        && token.iter().all(|byte| *byte >= 0x80 || is_plain_byte(*byte))
}

/// What plain text may go on with, each with where it leads; None: it may not.
fn next_inside(byte: u8, inside: Option<Inside>) -> Option<Option<Inside>> {
    let range = |low, high, more| Some(Some(Inside { low, high, more }));
    match inside {
        Some(at) if !(at.low..=at.high).contains(&byte) => None,
        Some(at) if at.more == 0 => Some(BETWEEN),
        Some(at) => range(0x80, 0xBF, at.more - 1),
        None if byte < 0x80 => is_plain_byte(byte).then_some(BETWEEN),
        None => match byte {
            0xC2..=0xDF => range(0x80, 0xBF, 0),
            0xE0 => range(0xA0, 0xBF, 1),
            0xED => range(0x80, 0x9F, 1),
            0xE1..=0xEF => range(0x80, 0xBF, 1),
            0xF0 => range(0x90, 0xBF, 2),
            0xF1..=0xF3 => range(0x80, 0xBF, 2),
            0xF4 => range(0x80, 0x8F, 2),
            _ => None,
        },
    }
}

/// What of it depends on the vocabulary alone.
pub struct OpenTextTables {
    plain: SimpleVob,
    rest: TokTrie,
}

impl OpenTextTables {
    pub fn new(environment: &TokEnv) -> Self {
        let trie = environment.tok_trie();
        let mut plain = trie.alloc_token_set();
        let mut rest = trie.alloc_token_set();
        for id in 0..trie.vocab_size() as u32 {
            if is_plain(trie.token(id)) {
                plain.allow_token(id);
            } else {
                rest.allow_token(id);
            }
        }
        let rest = trie.filter(&rest);
        OpenTextTables { plain, rest }
    }

    fn holds_all(&self, mask: &SimpleVob) -> bool {
        let pairs = self.plain.as_slice().iter().zip(mask.as_slice());
        pairs.into_iter().all(|(plain, mask)| plain & !mask == 0)
    }
}

/// Of one grammar.
pub struct OpenText {
    tables: Arc<OpenTextTables>,
    usual: Arc<SlicedBiasComputer>,
    known: Mutex<HashMap<Place, bool>>,
}

impl OpenText {
    pub fn new(tables: Arc<OpenTextTables>, usual: Arc<SlicedBiasComputer>) -> Self {
        OpenText {
            tables,
            usual,
            known: Mutex::new(HashMap::new()),
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Place, bool>> {
        self.known.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Whether it is open, and everything that was seen on the way.
    fn look(&self, recognizer: &mut ParserRecognizer<'_>) {
        let lexer = recognizer.lexer_mut();
        let whose = lexer as *const _ as usize;
        let first = recognizer.lexer_state();
        let mut seen = HashSet::from([(first, BETWEEN)]);
        let mut left = vec![(first, BETWEEN)];
        let mut is_open = true;
        'search: while let Some((state, inside)) = left.pop() {
            for byte in 0x20..=0xF4u8 {
                let Some(inside) = next_inside(byte, inside) else { continue };
                let lexer = recognizer.lexer_mut();
                let next = lexer.transition_start_state(state, Some(byte), &None);
                is_open = !next.is_dead()
                    && !next.has_lowest_match()
                    && lexer.subsume_possible(next)
                    && seen.len() < SEARCH_MAX;
                if !is_open {
                    break 'search;
                }
                if seen.insert((next, inside)) {
                    left.push((next, inside));
                }
            }
        }
        let mut known = self.known();
        if known.len() + seen.len() > KNOWN_MAX {
            known.clear();
        }
        known.insert((whose, first), is_open);
        if is_open {
            let whole = seen.iter().filter(|(_, inside)| *inside == BETWEEN);
            known.extend(whole.map(|(state, _)| ((whose, *state), true)));
        }
    }
}

impl BiasComputer for OpenText {
    fn compute_bias(&self, recognizer: &mut ParserRecognizer<'_>, start: &[u8]) -> SimpleVob {
        if !start.is_empty() {
            return self.usual.compute_bias(recognizer, start);
        }
        let whose = recognizer.lexer_mut() as *const _ as usize;
        let place = (whose, recognizer.lexer_state());
        let known = self.known().get(&place).copied();
        if known == Some(true) {
            let mut mask = self.tables.plain.clone();
            self.tables.rest.add_bias(recognizer, &mut mask, &[]);
            return mask;
        }
        let slices = recognizer.stats_mut().slices_applied;
        let mask = self.usual.compute_bias(recognizer, start);
        let is_long_way = recognizer.stats_mut().slices_applied == slices;
        if known.is_none() && is_long_way && self.tables.holds_all(&mask) {
            self.look(recognizer);
        }
        mask
    }

    fn trie(&self) -> &TokTrie {
        self.usual.trie()
    }
}
