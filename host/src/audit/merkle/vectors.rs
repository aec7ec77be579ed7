//! The reference tree of the Certificate Transparency project: eight leaves, known roots and paths.

use data_encoding::HEXLOWER;

use super::{Frontier, Hash, empty, inclusion, leaf, root, verify_inclusion};

const LEAVES: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];

const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn hash(text: &str) -> Hash {
    HEXLOWER.decode(text.as_bytes()).unwrap().try_into().unwrap()
}

fn leaves() -> Vec<Hash> {
    let lines = LEAVES.iter().map(|text| HEXLOWER.decode(text.as_bytes()).unwrap());
    lines.map(|line| leaf(&line)).collect()
}

#[test]
fn the_empty_tree_has_the_hash_of_nothing() {
    let nothing = hash("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_eq!(empty(), nothing);
    assert_eq!(root(&[]), nothing);
    assert_eq!(Frontier::default().root(), nothing);
}

#[test]
fn the_reference_tree_has_the_published_roots() {
    let leaves = leaves();
    let mut frontier = Frontier::default();
    for (size, known) in (1..).zip(ROOTS) {
        frontier.push(leaves[size - 1]);
        assert_eq!(root(&leaves[..size]), hash(known));
        assert_eq!(frontier.root(), hash(known));
    }
}

#[test]
fn the_reference_paths_are_made_and_accepted() {
    let leaves = leaves();
    let paths: [(usize, usize, &[&str]); 4] = [
        (0, 1, &[]),
        (
            0,
            8,
            &[
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            5,
            8,
            &[
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (2, 3, &["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    ];
    for (index, size, known) in paths {
        let known: Vec<Hash> = known.iter().map(|text| hash(text)).collect();
        assert_eq!(inclusion(&leaves[..size], index).unwrap(), known);
        let root = hash(ROOTS[size - 1]);
        assert!(verify_inclusion(&leaves[index], index as u64, size as u64, &known, &root));
    }
}
