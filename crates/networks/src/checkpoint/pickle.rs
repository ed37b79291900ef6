//! Python's pickle as a machine that builds objects and calls nothing. The opcodes are those of `CPython`'s `pickletools`.

mod build;
mod reader;

use std::collections::HashMap;

use super::error::{CheckpointError, Result};
use super::object::{Class, Object, ObjectId};
pub(super) use reader::Reader;

/// A checkpoint of the largest models has some hundred thousand; a training log in it adds to them.
const MOST_OBJECTS: usize = 4_000_000;

/// Of a class, a module or a storage, in bytes: these names are copied into every object made of them.
const LONGEST_NAME: usize = 500;

/// All objects that one or several pickles have built.
#[derive(Debug, Default)]
pub(super) struct Objects(Vec<Object>);

impl Objects {
    pub(super) fn get(&self, id: ObjectId) -> &Object {
        &self.0[id.0 as usize]
    }

    fn get_mut(&mut self, id: ObjectId) -> &mut Object {
        &mut self.0[id.0 as usize]
    }

    fn add(&mut self, object: Object) -> Result<ObjectId> {
        let id = u32::try_from(self.0.len()).expect("below MOST_OBJECTS");
        if self.0.len() >= MOST_OBJECTS {
            return Err(CheckpointError::Limit(format!(
                "more than {MOST_OBJECTS} Python objects"
            )));
        }
        self.0.push(object);
        Ok(ObjectId(id))
    }

    /// The entries of a dict whose keys are text; none for anything else.
    pub(super) fn entries(&self, id: ObjectId) -> impl Iterator<Item = (&str, ObjectId)> {
        let pairs = match self.get(id) {
            Object::Dict(pairs) => pairs.as_slice(),
            _ => &[],
        };
        pairs
            .iter()
            .filter_map(|(key, value)| match self.get(*key) {
                Object::Text(key) => Some((key.as_str(), *value)),
                _ => None,
            })
    }

    pub(super) fn text(&self, id: ObjectId) -> Option<&str> {
        match self.get(id) {
            Object::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn int(&self, id: ObjectId) -> Option<i64> {
        match self.get(id) {
            Object::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// How many bytes an element has in each storage spoken of, by the storage's key.
    pub(super) fn element_sizes(&self) -> HashMap<&str, usize> {
        let storages = self.0.iter().filter_map(|object| match object {
            Object::Storage(storage) => Some(storage),
            _ => None,
        });
        storages
            .map(|storage| (storage.key.as_str(), storage.element_bytes()))
            .collect()
    }

    /// The items of a tuple or list; none for anything else.
    pub(super) fn items(&self, id: ObjectId) -> &[ObjectId] {
        match self.get(id) {
            Object::Tuple(items) | Object::List(items) => items,
            _ => &[],
        }
    }
}

/// Reads one pickle, and leaves the reader behind it.
pub(super) fn read(reader: &mut Reader, objects: &mut Objects) -> Result<ObjectId> {
    let mut machine = Machine {
        reader,
        objects,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    };
    loop {
        if machine.step()? {
            return machine.pop();
        }
    }
}

struct Machine<'a> {
    reader: &'a mut Reader,
    objects: &'a mut Objects,
    stack: Vec<ObjectId>,
    /// How high the stack was at each MARK that is still open.
    marks: Vec<usize>,
    memo: HashMap<u32, ObjectId>,
}

impl Machine<'_> {
    /// One instruction; true after STOP.
    fn step(&mut self) -> Result<bool> {
        match self.reader.byte()? {
            // PROTO, FRAME: nothing to do. STOP.
            0x80 => self.protocol()?,
            0x95 => {
                self.reader.u64()?;
            }
            b'.' => return Ok(true),
            // The stack and the memo: MARK, POP, POP_MARK, DUP, PUT, BINPUT, LONG_BINPUT, MEMOIZE, GET, BINGET, LONG_BINGET.
            b'(' => self.marks.push(self.stack.len()),
            b'0' => self.discard()?,
            b'1' | 0x90 => drop(self.pop_mark()?),
            b'2' => {
                let top = self.top()?;
                self.push_id(top)?;
            }
            b'p' => {
                let index = self.reader.decimal_line()?;
                self.put(index)?;
            }
            b'q' => {
                let index = self.reader.byte()?.into();
                self.put(index)?;
            }
            b'r' => {
                let index = self.reader.u32()?;
                self.put(index)?;
            }
            0x94 => {
                let index = u32::try_from(self.memo.len()).expect("bounded by the objects");
                self.put(index)?;
            }
            b'g' => {
                let index = self.reader.decimal_line()?;
                self.get(index)?;
            }
            b'h' => {
                let index = self.reader.byte()?.into();
                self.get(index)?;
            }
            b'j' => {
                let index = self.reader.u32()?;
                self.get(index)?;
            }
            // Containers: tuples of 0, 1, 2, 3 and any number of items, lists, dicts, sets.
            b')' => self.push(Object::Tuple(Vec::new()))?,
            0x85 => self.tuple(1)?,
            0x86 => self.tuple(2)?,
            0x87 => self.tuple(3)?,
            b't' => {
                let items = self.pop_mark()?;
                self.push(Object::Tuple(items))?;
            }
            b']' => self.push(Object::List(Vec::new()))?,
            b'l' => {
                let items = self.pop_mark()?;
                self.push(Object::List(items))?;
            }
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            b'e' => {
                let items = self.pop_mark()?;
                self.append(items)?;
            }
            b'}' => self.push(Object::Dict(Vec::new()))?,
            b'd' => {
                let items = self.pop_mark()?;
                self.push(Object::Dict(Vec::new()))?;
                self.set_items(&items)?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set_items(&[key, value])?;
            }
            b'u' => {
                let items = self.pop_mark()?;
                self.set_items(&items)?;
            }
            0x8f => self.push(Object::opaque("set"))?,
            0x91 => {
                self.pop_mark()?;
                self.push(Object::opaque("frozenset"))?;
            }
            opcode => match self.scalar(opcode)? {
                Some(scalar) => self.push(scalar)?,
                None => self.construct(opcode)?,
            },
        }
        Ok(false)
    }

    /// Numbers, text and bytes.
    fn scalar(&mut self, opcode: u8) -> Result<Option<Object>> {
        let reader = &mut *self.reader;
        let scalar = match opcode {
            b'N' => Object::None,
            0x88 | 0x89 => Object::Bool(opcode == 0x88),
            b'K' => Object::Int(reader.byte()?.into()),
            b'M' => Object::Int(u16::from_le_bytes(reader.array()?).into()),
            b'J' => Object::Int(i32::from_le_bytes(reader.array()?).into()),
            0x8a => {
                let length = reader.byte()?.into();
                long(&reader.take(length)?)
            }
            0x8b => {
                let length = reader.length32()?;
                long(&reader.take(length)?)
            }
            b'I' | b'L' => {
                let line = reader.line()?;
                match line.trim_end_matches('L').parse() {
                    Ok(value) if !matches!(line.as_str(), "00" | "01") => Object::Int(value),
                    _ => Object::opaque("int"),
                }
            }
            b'G' => {
                reader.take(8)?;
                Object::Float
            }
            b'F' => {
                reader.line()?;
                Object::Float
            }
            // UNICODE, STRING; then by the width of the length: BINUNICODE, BINSTRING, BINBYTES.
            b'V' => Object::Text(reader.line()?),
            b'S' => Object::Text(reader.line()?.trim_matches(['\'', '"']).to_owned()),
            0x8c | b'U' => {
                let length = reader.byte()?.into();
                reader.text(length)?
            }
            b'X' | b'T' => {
                let length = reader.length32()?;
                reader.text(length)?
            }
            0x8d => {
                let length = reader.length64()?;
                reader.text(length)?
            }
            b'C' => {
                let length = reader.byte()?.into();
                reader.bytes(length)?
            }
            b'B' => {
                let length = reader.length32()?;
                reader.bytes(length)?
            }
            0x8e | 0x96 => {
                let length = reader.length64()?;
                reader.bytes(length)?
            }
            _ => return Ok(None),
        };
        Ok(Some(scalar))
    }

    /// What names classes and would call them.
    fn construct(&mut self, opcode: u8) -> Result<()> {
        match opcode {
            b'c' => {
                let (module, name) = (self.reader.line()?, self.reader.line()?);
                let class = self.class(module, name)?;
                self.push(Object::Class(class))
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let text = |id| self.objects.text(id).unwrap_or_default().to_owned();
                let class = self.class(text(module), text(name))?;
                self.push(Object::Class(class))
            }
            // REDUCE, and NEWOBJ, which calls `cls.__new__(cls, *args)`.
            b'R' | 0x81 => {
                let (arguments, callable) = (self.pop()?, self.pop()?);
                let made = self.call(callable, arguments)?;
                self.push(made)
            }
            // NEWOBJ_EX, with keyword arguments.
            0x92 => {
                self.discard()?;
                self.discard()?;
                let class = self.pop()?;
                let made = Object::opaque(self.class_name(class));
                self.push(made)
            }
            // INST names the class in the stream; OBJ has it first above the mark.
            b'i' => {
                let (module, name) = (self.reader.line()?, self.reader.line()?);
                self.pop_mark()?;
                let class = self.class(module, name)?;
                self.push(Object::opaque(class))
            }
            b'o' => {
                let items = self.pop_mark()?;
                let class = items.first().map(|class| self.class_name(*class));
                self.push(Object::opaque(class.unwrap_or_default()))
            }
            b'b' => {
                let state = self.pop()?;
                let built = self.top()?;
                if let Object::Opaque(opaque) = self.objects.get_mut(built) {
                    opaque.state = Some(state);
                }
                Ok(())
            }
            b'Q' => {
                let id = self.pop()?;
                let made = self.persistent(id)?;
                self.push(made)
            }
            // EXT1, EXT2, EXT4: a registry of classes that only the writer had.
            0x82..=0x84 => {
                self.reader.take(1 << (opcode - 0x82))?;
                self.push(Object::opaque("an object from copyreg's registry"))
            }
            _ => Err(self.reader.wrong(format!(
                "opcode {opcode:#04x}; expected one that torch.save writes"
            ))),
        }
    }

    fn protocol(&mut self) -> Result<()> {
        match self.reader.byte()? {
            0..=5 => Ok(()),
            protocol => Err(self
                .reader
                .wrong(format!("pickle protocol {protocol}; expected at most 5"))),
        }
    }

    fn push(&mut self, object: Object) -> Result<()> {
        let id = self.objects.add(object)?;
        self.push_id(id)
    }

    fn push_id(&mut self, id: ObjectId) -> Result<()> {
        if self.stack.len() >= MOST_OBJECTS || self.marks.len() >= MOST_OBJECTS {
            return Err(CheckpointError::Limit(format!(
                "more than {MOST_OBJECTS} objects on the pickle's stack"
            )));
        }
        self.stack.push(id);
        Ok(())
    }

    /// The lowest place of the stack that the innermost open mark leaves free to take.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn pop(&mut self) -> Result<ObjectId> {
        if self.stack.len() <= self.floor() {
            return Err(self.reader.wrong("it takes more than it has put down"));
        }
        Ok(self.stack.pop().expect("above the floor"))
    }

    /// POP, which also removes a mark.
    fn discard(&mut self) -> Result<()> {
        if self.marks.last() == Some(&self.stack.len()) {
            self.marks.pop();
            return Ok(());
        }
        self.pop().map(drop)
    }

    fn top(&self) -> Result<ObjectId> {
        let above = self.stack.get(self.floor()..).and_then(<[_]>::last);
        above
            .copied()
            .ok_or_else(|| self.reader.wrong("it looks at what it has not put down"))
    }

    fn pop_mark(&mut self) -> Result<Vec<ObjectId>> {
        let Some(mark) = self.marks.pop() else {
            return Err(self.reader.wrong("it closes what it has not opened"));
        };
        Ok(self.stack.split_off(mark))
    }

    fn put(&mut self, index: u32) -> Result<()> {
        let top = self.top()?;
        self.memo.insert(index, top);
        Ok(())
    }

    fn get(&mut self, index: u32) -> Result<()> {
        let Some(&id) = self.memo.get(&index) else {
            return Err(self
                .reader
                .wrong(format!("it repeats object {index}, which there is not")));
        };
        self.push_id(id)
    }

    fn tuple(&mut self, length: usize) -> Result<()> {
        let mut items = Vec::with_capacity(length);
        for _ in 0..length {
            items.push(self.pop()?);
        }
        items.reverse();
        self.push(Object::Tuple(items))
    }

    fn append(&mut self, items: Vec<ObjectId>) -> Result<()> {
        let list = self.top()?;
        if let Object::List(list) = self.objects.get_mut(list) {
            list.extend(items);
        }
        Ok(())
    }

    fn set_items(&mut self, items: &[ObjectId]) -> Result<()> {
        let dict = self.top()?;
        let (pairs, odd) = items.as_chunks::<2>();
        if !odd.is_empty() {
            return Err(self.reader.wrong("a key without a value"));
        }
        if let Object::Dict(dict) = self.objects.get_mut(dict) {
            dict.extend(pairs.iter().map(|[key, value]| (*key, *value)));
        }
        Ok(())
    }

    fn class(&self, module: String, name: String) -> Result<Class> {
        if module.len().max(name.len()) > LONGEST_NAME {
            return Err(self.reader.wrong("a class with a name longer than any"));
        }
        Ok(Class { module, name })
    }

    fn class_name(&self, id: ObjectId) -> String {
        match self.objects.get(id) {
            Object::Class(class) => class.to_string(),
            Object::Opaque(opaque) => opaque.class.clone(),
            other => other.kind(),
        }
    }
}

/// A Python integer, little-endian in two's complement. Above 64 bits it is opaque: no size or index is that large.
fn long(bytes: &[u8]) -> Object {
    let Some(&last) = bytes.last() else {
        return Object::Int(0);
    };
    let sign = if last < 0x80 { 0 } else { 0xff };
    let mut wide = [sign; 8];
    match wide.get_mut(..bytes.len()) {
        Some(low) => low.copy_from_slice(bytes),
        None => return Object::opaque("int"),
    }
    Object::Int(i64::from_le_bytes(wide))
}
