//! Every serializer as its users have it, by name: there and back, against Python, and against whoever means harm.
#![allow(clippy::unwrap_used)] // a test that fails panics, its helpers too

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use bytes::Bytes;
use proptest::prelude::*;
use scrubjay::{
    Error, ErrorKind, Parameters, Result,
    serializer::{self, Codecs, Format, Serializer, Slot, Transform, Value},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The formats of this build that tell types apart, so that they read back whatever they wrote.
fn formats() -> Vec<&'static str> {
    ["json", "msgpack", "pickle", "pickle://?pickle-protocol=2", "pickle://?pickle-protocol=5", "postcard"]
        .into_iter()
        .filter(|name| built(name))
        .collect()
}

fn transforms() -> Vec<&'static str> {
    ["zlib", "zstd", "lz4"].into_iter().filter(|name| built(name)).collect()
}

/// Whether this build has what `url` begins with.
fn built(url: &str) -> bool {
    let features = [
        ("msgpack", cfg!(feature = "msgpack")),
        ("pickle", cfg!(feature = "pickle")),
        ("postcard", cfg!(feature = "postcard")),
        ("zlib", cfg!(feature = "zlib")),
        ("zstd", cfg!(feature = "zstd")),
        ("lz4", cfg!(feature = "lz4")),
    ];
    features.iter().all(|(name, enabled)| *enabled || !url.starts_with(name))
}

fn named<V: Serialize + DeserializeOwned + 'static>(url: &str) -> Arc<dyn Serializer<V>> {
    serializer::from_url(url).unwrap_or_else(|error| panic!("{url}: {error}"))
}

fn encoded<V: 'static>(serializer: &dyn Serializer<V>, value: &V) -> Bytes {
    let mut bytes = Vec::new();
    serializer.encode(value, &mut bytes).unwrap();
    bytes.into()
}

fn config_error<V: Serialize + DeserializeOwned + 'static>(url: &str) -> String {
    let error = serializer::from_url::<V>(url).err().unwrap_or_else(|| panic!("{url} was built"));
    assert_eq!(error.kind(), ErrorKind::Config);
    error.to_string()
}

mod there_and_back {
    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    enum Shape {
        Point,
        Circle(f64),
        Line(i32, i32),
        Named { name: String },
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Thing {
        unsigned: u64,
        signed: i64,
        small: (i8, i16, u8, u16),
        float: f64,
        text: String,
        letter: char,
        maybe: Option<u32>,
        bytes: Vec<u8>,
        shapes: Vec<Shape>,
        by_name: BTreeMap<String, bool>,
        by_number: BTreeMap<i64, String>,
        set: BTreeSet<u16>,
        unit: (),
    }

    fn shape() -> impl Strategy<Value = Shape> {
        prop_oneof![
            Just(Shape::Point),
            any::<i32>().prop_map(|radius| Shape::Circle(radius.into())),
            any::<(i32, i32)>().prop_map(|(from, to)| Shape::Line(from, to)),
            any::<String>().prop_map(|name| Shape::Named { name }),
        ]
    }

    prop_compose! {
        fn thing()(
            (unsigned, signed, small, float) in (any::<u64>(), any::<i64>(), any::<(i8, i16, u8, u16)>(), any::<i32>()),
            (text, letter, maybe) in any::<(String, char, Option<u32>)>(),
            bytes in prop::collection::vec(any::<u8>(), 0..300),
            shapes in prop::collection::vec(shape(), 0..4),
            (by_name, by_number, set) in any::<(BTreeMap<String, bool>, BTreeMap<i64, String>, BTreeSet<u16>)>(),
        ) -> Thing {
            // A whole number and a quarter: exact in text, too.
            let float = f64::from(float) + 0.25;
            Thing { unsigned, signed, small, float, text, letter, maybe, bytes, shapes, by_name, by_number, set, unit: () }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_format(thing in thing()) {
            for format in formats() {
                let serializer = named::<Thing>(format);
                prop_assert_eq!(&serializer.decode(&encoded(&*serializer, &thing)).unwrap(), &thing, "{}", format);
            }
        }

        #[test]
        fn every_chain_of_two(bytes in prop::collection::vec(any::<u8>(), 0..2000), threshold in 0..3000_u32) {
            let transforms = transforms();
            for (first, second) in transforms.iter().flat_map(|first| transforms.iter().map(move |second| (first, second))) {
                let serializer = named::<Vec<u8>>(&format!("{first}+{second}://?compression-threshold={threshold}"));
                prop_assert_eq!(serializer.name(), format!("null+{first}+{second}"));
                prop_assert_eq!(&serializer.decode(&encoded(&*serializer, &bytes)).unwrap(), &bytes);
            }
        }

        #[test]
        fn text_of_one_piece(text: String, int: i64, float: f64) {
            fn round_trip<V: Serialize + DeserializeOwned + Debug + PartialEq + 'static>(value: &V) {
                let serializer = named::<V>("text");
                assert_eq!(serializer.decode(&encoded(&*serializer, value)).unwrap(), *value);
            }
            round_trip(&text);
            round_trip(&int);
            if !float.is_nan() {
                round_trip(&float);
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let bytes = Bytes::from(bytes);
            for name in formats().into_iter().chain(["text"]).chain(transforms()) {
                drop(named::<String>(name).decode(&bytes));
                if built(name) && !transforms().contains(&name) {
                    drop(named::<Thing>(name).decode(&bytes));
                }
            }
            for name in formats().into_iter().filter(|name| *name != "postcard") {
                drop(named::<serde_json::Value>(name).decode(&bytes));
            }
        }

        #[test]
        fn damaged_bytes_never_panic(thing in thing(), at: prop::sample::Index, byte: u8) {
            for format in formats() {
                let serializer = named::<Thing>(format);
                let mut bytes = encoded(&*serializer, &thing).to_vec();
                *at.get_mut(&mut bytes) = byte;
                drop(serializer.decode(&bytes.into()));
            }
        }
    }

    #[test]
    fn what_is_cut_short_is_an_error() {
        let value = (4_000_000_000_u32, "text".to_owned(), vec![1_u8, 2, 3]);
        for name in
            formats().into_iter().map(str::to_owned).chain(transforms().iter().map(|name| format!("json+{name}")))
        {
            let serializer = named::<(u32, String, Vec<u8>)>(&name);
            let bytes = encoded(&*serializer, &value);
            for end in 0..bytes.len() {
                let error = serializer.decode(&bytes.slice(..end)).expect_err(&name);
                assert_eq!(error.kind(), ErrorKind::Decode);
            }
            let more = [&bytes[..], b"]"].concat();
            assert_eq!(serializer.decode(&more.into()).expect_err(&name).kind(), ErrorKind::Decode);
        }
    }
}

mod names {
    use super::*;

    #[test]
    fn chains_are_sorted_out() {
        for (url, name) in
            [("json", "json"), ("noop+json", "json"), ("json+noop", "json"), ("noop", "null"), ("null", "null")]
        {
            assert_eq!(named::<String>(url).name(), name, "{url}");
        }
        assert_eq!(named::<u32>("json://").name(), "json");
        if built("zstd") {
            for url in ["zstd", "null+zstandard", "zstandard://", "zstd+noop"] {
                assert_eq!(named::<String>(url).name(), "null+zstd", "{url}");
            }
            assert_eq!(named::<u32>("json+zstd").name(), "json+zstd");
        }
    }

    #[test]
    fn what_does_not_fit_is_explained() {
        assert!(config_error::<u32>("jsn").starts_with("unknown serializer `jsn`; known: json, "));
        assert!(config_error::<u32>("json+").contains("expected names joined by `+`"));
        assert!(config_error::<u32>("json+text").contains("`json` and `text` are both formats"));
        assert!(config_error::<u32>("null").contains("u32 is neither"));
        assert!(config_error::<u32>("json://host").contains("no host"));
        assert!(config_error::<u32>("json?colour=blue").contains("unknown option `colour`"));
        if built("zlib") {
            assert!(config_error::<u32>("zlib").contains("u32 is neither"));
            assert!(config_error::<u32>("zlib+json").contains("`json` cannot follow `zlib`"));
            assert!(config_error::<u32>("json+zlib?compression-level=10").contains("from 0 to 9"));
            let known = "compression-level, compression-threshold, max-decompressed";
            assert!(config_error::<u32>("json+zlib?level=1").ends_with(known));
        }
    }

    #[test]
    fn what_is_not_in_this_build_says_how_to_get_it() {
        for name in ["msgpack", "pickle", "postcard", "zlib", "zstd", "lz4"].into_iter().filter(|name| !built(name)) {
            assert!(config_error::<String>(name).contains(&format!("enable scrubjay's Cargo feature `{name}`")));
            assert!(!config_error::<String>("jsn").contains(name));
        }
    }

    #[test]
    fn every_transform_of_a_chain_sees_the_options() {
        if built("zlib") && built("zstd") {
            let serializer = named::<Vec<u8>>("zlib+zstd://?compression-level=0&compression-threshold=%31");
            assert_eq!(encoded(&*serializer, &vec![7; 1000])[..4], [0x28, 0xb5, 0x2f, 0xfd]);
            assert!(config_error::<Vec<u8>>("zstd+zlib?compression-level=22").contains("zlib"));
        }
    }

    #[test]
    fn the_limit_is_an_option() {
        for name in transforms() {
            let bytes = encoded(&*named::<Vec<u8>>(name), &vec![7; 1000]);
            let limited = |limit: u32| named::<Vec<u8>>(&format!("{name}?max-decompressed={limit}"));
            assert!(limited(1000).decode(&bytes).is_ok());
            let error = limited(999).decode(&bytes).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Decode);
            assert!(error.to_string().contains("raise `max-decompressed`"), "{error}");
        }
    }

    #[test]
    fn only_formats_of_decimal_text_read_counters() {
        for (name, reads) in
            [("json", true), ("text", true), ("msgpack", false), ("pickle", false), ("postcard", false)]
        {
            if built(name) {
                assert_eq!(named::<i64>(name).reads_counters(), reads, "{name}");
            }
        }
        for name in transforms() {
            assert!(!named::<i64>(&format!("json+{name}")).reads_counters());
            let serializer = named::<i64>(&format!("json+{name}?compression-threshold=64"));
            assert!(serializer.reads_counters());
            for counter in [0, 80, -1, i64::MAX, i64::MIN] {
                assert_eq!(serializer.decode(&counter.to_string().into()).unwrap(), counter);
            }
        }
    }

    #[test]
    fn a_type_has_the_serializers_that_it_can_have() {
        struct Opaque;
        let mut parameters = Parameters::new();
        let error = Codecs::<Opaque>::none().build("json", &mut parameters).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("Opaque cannot be turned into bytes"), "{error}");

        let raw = Codecs::<Arc<[u8]>>::raw();
        assert_eq!(raw.build("noop", &mut parameters).unwrap().name(), "null");
        assert!(raw.build("json", &mut parameters).err().unwrap().to_string().contains("only `null`"));
    }
}

mod of_ones_own {
    use super::*;

    /// JSON after a comment.
    struct Commented(String);

    impl Format for Commented {
        fn encode(&self, value: Value<'_>, out: &mut Vec<u8>) -> Result<()> {
            out.extend_from_slice(self.0.as_bytes());
            serde_json::to_writer(out, &value)
                .map_err(|error| Error::new(ErrorKind::Encode, "no JSON").with_source(error))
        }

        fn decode(&self, bytes: &[u8], slot: Slot<'_>) -> Result<()> {
            match bytes.strip_prefix(self.0.as_bytes()) {
                Some(json) => slot.fill(&mut serde_json::Deserializer::from_slice(json)),
                None => Ok(()),
            }
        }
    }

    struct Flip;

    impl Transform for Flip {
        fn name(&self) -> std::borrow::Cow<'_, str> {
            "flip".into()
        }

        fn encode(&self, bytes: Vec<u8>) -> Result<Vec<u8>> {
            Ok(bytes.iter().map(|byte| !byte).collect())
        }

        fn decode(&self, bytes: Bytes, _: usize) -> Result<Bytes> {
            self.encode(bytes.to_vec()).map(Bytes::from)
        }

        fn recognises(&self, _: &[u8]) -> bool {
            true
        }
    }

    #[test]
    fn names_can_be_added_but_not_taken() {
        serializer::register_format("commented", |parameters| {
            // A factory may use the registry itself: no lock is held.
            drop(serializer::register_transform("", |_| Ok(Flip)));
            Ok(Commented(parameters.take_text("comment").unwrap_or_default()))
        })
        .unwrap();
        serializer::register_transform("flip", |_| Ok(Flip)).unwrap();

        let serializer = named::<Vec<u32>>("commented+flip://?comment=%23%20");
        assert_eq!(serializer.name(), "commented+flip");
        let bytes = encoded(&*serializer, &vec![1, 2]);
        assert_eq!(Flip.decode(bytes.clone(), 99).unwrap(), "# [1,2]");
        assert_eq!(serializer.decode(&bytes).unwrap(), [1, 2]);

        let commented = named::<Vec<u32>>("commented?comment=%23");
        for refused in ["", "[1]", "#[\"hunter2\"]", "#"] {
            let error = commented.decode(&refused.into()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Decode);
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }

        assert!(config_error::<u32>("jsn").ends_with(", commented, flip"));
        for taken in ["json", "noop", "zstandard", "lz4", "flip", "a+b", ""] {
            assert!(serializer::register_transform(taken, |_| Ok(Flip)).is_err(), "{taken}");
        }
    }
}

mod harm {
    use super::*;

    fn refused<V: Serialize + DeserializeOwned + 'static>(name: &str, bytes: Vec<u8>) -> String {
        let error = named::<V>(name).decode(&bytes.into()).err().unwrap_or_else(|| panic!("{name} read it"));
        assert_eq!(error.kind(), ErrorKind::Decode);
        error.to_string()
    }

    #[test]
    fn deep_nesting_does_not_overflow_the_stack() {
        #[derive(Serialize, Deserialize)]
        struct Tree(Vec<Tree>);

        const DEEP: usize = 1_000_000;
        let open = |with: &[u8]| with.repeat(DEEP);
        refused::<serde_json::Value>("json", open(b"["));
        refused::<Tree>("json", open(b"["));
        if built("msgpack") {
            for with in [&b"\x91"[..], b"\x81\x01", b"\x81"] {
                refused::<serde_json::Value>("msgpack", open(with));
                refused::<Tree>("msgpack", open(with));
            }
        }
        if built("postcard") {
            refused::<Tree>("postcard", open(b"\x01"));
        }
        if built("pickle") {
            let nested = [open(b"]"), b"a".repeat(DEEP - 1), b".".to_vec()].concat();
            let tuples = [b"N".to_vec(), open(b"\x85"), b".".to_vec()].concat();
            let dicts = [open(b"}N"), b"}".to_vec(), b"s".repeat(DEEP), b".".to_vec()].concat();
            for bytes in [nested, tuples, dicts, open(b"("), open(b"]\x94")] {
                refused::<serde_json::Value>("pickle", bytes.clone());
                refused::<Tree>("pickle", bytes);
            }
        }
        refused::<Tree>("text", open(b"["));
    }

    #[test]
    fn declared_lengths_are_not_believed() {
        if built("msgpack") {
            for bytes in [
                &b"\xdd\xff\xff\xff\xff"[..],
                b"\xdf\xff\xff\xff\xff",
                b"\xc6\xff\xff\xff\xff",
                b"\xdb\xff\xff\xff\xff",
            ] {
                refused::<serde_json::Value>("msgpack", bytes.into());
                refused::<Vec<u64>>("msgpack", bytes.into());
            }
        }
        if built("postcard") {
            refused::<Vec<u64>>("postcard", b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f".into());
        }
        if built("pickle") {
            for opcode in [&b"\x8d"[..], b"\x8e", b"\x96", b"X", b"B", b"T", b"\x8b"] {
                refused::<serde_json::Value>("pickle", [opcode, &[0xff; 8]].concat());
            }
        }
    }

    #[test]
    fn pickles_cannot_hold_themselves_or_more_than_memory() {
        if !built("pickle") {
            return;
        }
        // x = []; x.append(x)
        assert!(refused::<serde_json::Value>("pickle", b"]\x94h\x00a.".into()).contains("nested deeper"));

        // A list of ten times the same list, of ten times the same list …
        let again = b"]\x94(hXhXhXhXhXhXhXhXhXhXe";
        let mut laughs = b"]\x94".to_vec();
        for id in 0..30_u8 {
            laughs.extend(again.iter().map(|byte| if *byte == b'X' { id } else { *byte }));
        }
        laughs.push(b'.');
        assert!(refused::<serde_json::Value>("pickle", laughs).contains("too often"));

        // x = [0]; x += x, thirty times over
        let doubled = [b"]K\x00a".to_vec(), b"2\x86".repeat(30), b".".to_vec()].concat();
        refused::<serde_json::Value>("pickle", doubled);
    }

    #[test]
    fn pickles_name_no_code() {
        if !built("pickle") {
            return;
        }
        let system = b"cos\nsystem\n(S'true'\ntR.";
        assert!(refused::<serde_json::Value>("pickle", system.into()).contains("`os.system`"));
        for bytes in
            [&b"\x80\x04\x8c\x02os\x8c\x06system\x93."[..], b"(ios\nsystem\n.", b"\x82\x01.", b"Pid\n.", b"N(tb."]
        {
            let error = refused::<serde_json::Value>("pickle", bytes.into());
            assert!(error.contains("store a dict instead"), "{error}");
        }
    }
}

mod python {
    use super::*;

    /// What `vectors/write.py` writes.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Document {
        none: Option<u8>,
        r#true: bool,
        r#false: bool,
        integers: Vec<serde_json::Number>,
        floats: Vec<f64>,
        text: String,
        long: String,
        empty: (String, Vec<u8>, BTreeMap<String, u8>),
        tuple: (u8, String),
        nested: BTreeMap<String, BTreeMap<String, Vec<BTreeMap<String, u8>>>>,
        again: (String, String),
        #[serde(default)]
        bytes: Vec<u8>,
        #[serde(default)]
        short: Vec<u8>,
        #[serde(default)]
        nothing: Vec<u8>,
    }

    impl Document {
        fn plain() -> Self {
            let widths = [
                0,
                1,
                -1,
                255,
                256,
                65535,
                65536,
                i64::from(i32::MAX),
                i64::from(i32::MIN),
                1 << 31,
                i64::MAX,
                i64::MIN,
            ];
            let integers = widths.into_iter().map(Into::into).chain([u64::MAX.into()]).collect();
            let c = BTreeMap::from([("c".to_owned(), 1)]);
            let b = BTreeMap::from([("b".to_owned(), vec![c])]);
            Self {
                none: None,
                r#true: true,
                r#false: false,
                integers,
                floats: vec![0.0, -0.5, 1.5, 1e300],
                text: "Häher \u{1f426} \\ \"quoted\" \n".to_owned(),
                long: "scrub jay ".repeat(1000),
                empty: Default::default(),
                tuple: (1, "a".to_owned()),
                nested: BTreeMap::from([("a".to_owned(), b)]),
                again: ("the same text".to_owned(), "the same text".to_owned()),
                bytes: Vec::new(),
                short: Vec::new(),
                nothing: Vec::new(),
            }
        }

        fn rich() -> Self {
            Self { bytes: (0..=255).collect(), short: vec![0xff, 0x00], ..Self::plain() }
        }
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Sets {
        set: BTreeSet<u8>,
        frozen: BTreeSet<String>,
        bytearray: Vec<u8>,
        numbers: BTreeMap<i64, String>,
    }

    fn vectors() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
    }

    /// `document.4.pickle` → `pickle`, `document.json.zlib` → `json+zlib`
    fn chain(name: &str) -> String {
        let parts = name.split('.').skip(1).filter(|part| built_in(part));
        parts.collect::<Vec<_>>().join("+")
    }

    fn built_in(part: &str) -> bool {
        ["json", "msgpack", "pickle", "zlib", "zstd", "lz4"].contains(&part)
    }

    #[test]
    fn everything_that_python_wrote_is_read() {
        let mut read = 0;
        for entry in vectors().read_dir().unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let chain = chain(&name);
            if chain.is_empty() || !chain.split('+').all(built) {
                continue;
            }
            let bytes = Bytes::from(std::fs::read(&path).unwrap());
            match name.split('.').next().unwrap() {
                "document" => {
                    let rich = matches!(&*chain, "pickle" | "msgpack");
                    let expected = if rich { Document::rich() } else { Document::plain() };
                    let document =
                        named::<Document>(&chain).decode(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
                    assert_eq!(document, expected, "{name}");
                    if chain.contains('+') {
                        let threshold = named::<Document>(&format!("{chain}?compression-threshold=99"));
                        assert_eq!(threshold.decode(&bytes).unwrap(), expected, "{name}");
                    }
                }
                "sets" => {
                    let expected = Sets {
                        set: [3].into(),
                        frozen: ["a".to_owned()].into(),
                        bytearray: vec![0xff, 0x00],
                        numbers: BTreeMap::from([(1, "one".to_owned()), (-2, "minus two".to_owned())]),
                    };
                    let sets = named::<Sets>(&chain).decode(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
                    assert_eq!(sets, expected, "{name}");
                }
                _ => {
                    let error = named::<serde_json::Value>(&chain).decode(&bytes).expect_err(&name);
                    assert_eq!(error.kind(), ErrorKind::Decode);
                    assert!(error.to_string().ends_with("store a dict instead"), "{name}: {error}");
                }
            }
            read += 1;
        }
        assert!(read > 0, "no vectors: run tests/vectors/write.py");
    }

    #[test]
    fn python_reads_everything_that_is_written() {
        if Command::new("python3").arg("--version").output().is_err() {
            eprintln!("SKIPPED: there is no python3, so nothing was read by it");
            return;
        }
        let folder = std::env::temp_dir().join(format!("scrubjay-serializers-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for (name, url) in [
            ("expected.json", "json"),
            ("ours.msgpack", "msgpack"),
            ("ours.2.pickle", "pickle?pickle-protocol=2"),
            ("ours.3.pickle", "pickle?pickle-protocol=3"),
            ("ours.4.pickle", "pickle"),
            ("ours.5.pickle", "pickle?pickle-protocol=5"),
            ("ours.json.zlib", "json+zlib"),
            ("ours.4.pickle.zlib", "pickle+zlib?compression-level=9"),
            ("ours.json.zstd", "json+zstd"),
            ("threads.json.zstd", "json+zstd?compression-threads=2"),
            ("ours.json.lz4", "json+lz4"),
        ] {
            if chain(name).split('+').all(built) {
                let bytes = encoded(&*named::<Document>(url), &Document::rich());
                std::fs::write(folder.join(name), bytes).unwrap();
            }
        }
        let output = Command::new("python3").arg(vectors().join("read.py")).arg(&folder).output().unwrap();
        let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{said}{complained}");
        for skipped in said.lines().filter(|line| line.starts_with("SKIPPED")) {
            eprintln!("{skipped}: its Python package is not installed");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
