//! Lists given by a bare relative name. A test binary of its own, with one test: the current folder belongs to
//! the whole process.

use std::fs;
use std::path::Path;

use dataset::Dataset;

const NAME: &str = "ILSVRC2012_val_00000001.JPEG"; // class 65

#[test]
fn lists_in_the_current_folder_need_no_path() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("val")).expect("made");
    fs::write(folder.path().join("val").join(NAME), "").expect("written");
    std::env::set_current_dir(folder.path()).expect("the current folder");
    let kaggle = "ImageId,PredictionString\nILSVRC2012_val_00000001,n01751748 1 2 3 4\n";
    for (list, content, name) in [
        ("val.txt", format!("val/{NAME} 65\n"), format!("val/{NAME}")),
        // Where the list does not say the folder.
        ("val_list.txt", format!("{NAME} 65\n"), NAME.to_owned()),
        ("LOC_val_solution.csv", kaggle.to_owned(), NAME.to_owned()),
    ] {
        fs::write(list, content).expect("written");
        for path in [list.to_owned(), format!("./{list}")] {
            let dataset =
                Dataset::open(Path::new(&path), None).unwrap_or_else(|error| panic!("{path}: {error}"));
            let item = &dataset.items()[0];
            assert_eq!((item.name.as_str(), item.label), (name.as_str(), 65), "{path}");
            assert_eq!(*dataset.read(0).expect("readable"), *b"", "{path}");
        }
        let named = Dataset::open(Path::new("val"), Some(Path::new(list))).expect("a data set");
        assert_eq!(named.items()[0].label, 65);
        fs::remove_file(list).expect("removed");
    }
}
