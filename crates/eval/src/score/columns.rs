//! Which column of a table of predictions is what, by the names in its heading. A label that is taken for a prediction is
//! right for every image, so a name that may mean either is refused.

use std::collections::BTreeMap;

/// Where a row has what, by the index of the cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnRoles {
    names: Vec<String>,
    image: usize,
    /// The label of the image, if the table has it.
    label: Option<usize>,
    /// The predicted classes, the best first.
    classes: Vec<usize>,
}

/// Names, as [`plain`] writes them, of the image.
const IMAGE: [&str; 21] = [
    "image",
    "images",
    "img",
    "file",
    "filename",
    "file_name",
    "filepath",
    "file_path",
    "path",
    "fname",
    "image_path",
    "image_name",
    "image_file",
    "image_id",
    "imagepath",
    "imagename",
    "imageid",
    "img_path",
    "img_name",
    "img_id",
    "image_filename",
];

/// Names of the image where no other column has one of [`IMAGE`].
const IMAGE_PERHAPS: [&str; 3] = ["id", "name", "key"];

/// Names of the label: the class that is right.
const LABEL: [&str; 24] = [
    "label",
    "labels",
    "true",
    "truth",
    "ground_truth",
    "groundtruth",
    "gt",
    "gt_label",
    "gt_class",
    "target",
    "targets",
    "true_label",
    "true_class",
    "label_true",
    "class_true",
    "y",
    "y_true",
    "actual",
    "actual_label",
    "actual_class",
    "expected",
    "correct",
    "correct_label",
    "correct_class",
];

/// Names of the predicted class; with a number behind, of one of several.
const PREDICTION: [&str; 21] = [
    "prediction",
    "predictions",
    "pred",
    "preds",
    "predicted",
    "predict",
    "y_pred",
    "y_hat",
    "yhat",
    "pred_label",
    "pred_class",
    "pred_index",
    "pred_idx",
    "pred_id",
    "predicted_label",
    "predicted_class",
    "predicted_index",
    "predicted_id",
    "prediction_label",
    "label_pred",
    "argmax",
];

/// Names that mean the predicted class with a number behind, or where nothing beside them can be it.
const CLASS: [&str; 4] = ["class", "class_id", "class_index", "class_idx"];

/// Names that mean a predicted class only with a number behind.
const RANK: [&str; 3] = ["c", "top", "rank"];

/// Names of what is no class, with or without a number behind.
const OTHER: [&str; 20] = [
    "",
    "prob",
    "probs",
    "probability",
    "p",
    "score",
    "scores",
    "confidence",
    "conf",
    "logit",
    "logits",
    "status",
    "error",
    "class_name",
    "pred_name",
    "description",
    "time",
    "seconds",
    "loss",
    "unnamed",
];

const ADVICE: &str = "name the image `image`, its label `label` if it is there, and the predicted class `prediction`, or \
                      `class1` to `class5`, the best first";

/// A name in lower case, its words joined by `_`.
fn plain(name: &str) -> String {
    let words = name.trim().to_lowercase();
    words.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect::<Vec<_>>().join("_")
}

/// A name and the number behind it, if there is one.
fn numbered(name: &str) -> (&str, Option<usize>) {
    let base = name.trim_end_matches(|c: char| c.is_ascii_digit());
    (base.trim_end_matches('_'), name[base.len()..].parse().ok())
}

/// Whether `cells` are names of columns, because one is that of the image.
pub(super) fn names_an_image(cells: &[&str]) -> bool {
    cells.iter().any(|cell| IMAGE.contains(&plain(cell).as_str()))
}

impl ColumnRoles {
    /// What the columns with these `names` are, or why that cannot be told and what would tell it.
    pub(super) fn of(names: &[&str]) -> Result<Self, String> {
        let plain: Vec<String> = names.iter().map(|name| plain(name)).collect();
        let told = HeadingRoles::by(&plain);
        let shown: Vec<String> = names.iter().map(|name| format!("`{}`", name.trim())).collect();
        let refused = |what: &str| format!("of the columns {}, {what}; {ADVICE}", shown.join(", "));
        let image = match (&told.image[..], &told.image_perhaps[..]) {
            ([image], _) | ([], [image]) => *image,
            ([], _) => return Err(refused("it cannot be told which is the image")),
            _ => return Err(refused("more than one may be the image")),
        };
        let label = match told.label[..] {
            [] => None,
            [label] => Some(label),
            _ => return Err(refused("more than one may be the label")),
        };
        let classes = match (&told.prediction[..], &told.class[..], told.ranked.len()) {
            ([prediction], _, 0) => vec![*prediction],
            // Nothing beside it can be the prediction, so it is.
            ([], [class], 0) if label.is_none() && told.unknown.is_empty() => vec![*class],
            ([], [], 1..) => told.in_order().ok_or_else(|| {
                refused("those with numbers do not count up from 1, or from 0, so that their order cannot be told")
            })?,
            ([], [], 0) => return Err(refused("none says that it is the prediction")),
            _ => return Err(refused("it cannot be told which is the prediction")),
        };
        let names = names.iter().map(|name| name.trim().to_owned()).collect();
        Ok(Self { names, image, label, classes })
    }

    /// How many columns there are.
    pub(super) fn count(&self) -> usize {
        self.names.len()
    }

    pub(super) fn image<'a>(&self, cells: &[&'a str]) -> &'a str {
        cells[self.image]
    }

    /// The cell with the label, and its column's name.
    pub(super) fn label<'a>(&self, cells: &[&'a str]) -> Option<(&'a str, &str)> {
        self.label.map(|label| (cells[label], self.names[label].as_str()))
    }

    pub(super) fn classes<'a>(&self, cells: &[&'a str]) -> Vec<&'a str> {
        self.classes.iter().map(|&class| cells[class]).collect()
    }

    /// The name of the column with the labels.
    pub(crate) fn label_name(&self) -> Option<&str> {
        self.label.map(|label| self.names[label].as_str())
    }

    /// Which column was taken for what.
    pub(crate) fn described(&self) -> String {
        let classes: Vec<String> =
            self.classes.iter().map(|&class| format!("`{}`", self.names[class])).collect();
        let label = self.label_name().map_or_else(String::new, |name| format!(", label in `{name}`"));
        let image = &self.names[self.image];
        format!("table: image in `{image}`, prediction in {}{label}", classes.join(", "))
    }
}

/// What the names say, by the indices of columns.
#[derive(Default)]
struct HeadingRoles {
    image: Vec<usize>,
    image_perhaps: Vec<usize>,
    label: Vec<usize>,
    prediction: Vec<usize>,
    class: Vec<usize>,
    /// Predictions with numbers, by the number; several where two have the same.
    ranked: BTreeMap<usize, Vec<usize>>,
    unknown: Vec<usize>,
}

impl HeadingRoles {
    fn by(names: &[String]) -> Self {
        let mut told = Self::default();
        for (index, name) in names.iter().map(String::as_str).enumerate() {
            let (base, number) = numbered(name);
            let ranks = PREDICTION.contains(&base) || CLASS.contains(&base) || RANK.contains(&base);
            match number {
                _ if IMAGE.contains(&name) => told.image.push(index),
                _ if IMAGE_PERHAPS.contains(&name) => told.image_perhaps.push(index),
                _ if LABEL.contains(&name) => told.label.push(index),
                None if PREDICTION.contains(&name) => told.prediction.push(index),
                None if CLASS.contains(&name) => told.class.push(index),
                Some(rank) if ranks => told.ranked.entry(rank).or_default().push(index),
                _ if !base.is_empty() && OTHER.contains(&base) || name.is_empty() => {}
                _ => told.unknown.push(index),
            }
        }
        told
    }

    /// The numbered predictions, the best first: each number once, from 0 or from 1.
    fn in_order(&self) -> Option<Vec<usize>> {
        // Looked at before anything is counted from it: a heading may have any number.
        let first = self.ranked.keys().next().copied().filter(|first| *first <= 1)?;
        let each_once = (first..)
            .zip(&self.ranked)
            .all(|(expected, (rank, columns))| *rank == expected && columns.len() == 1);
        each_once.then(|| self.ranked.values().flatten().copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(heading: &str) -> Result<(usize, Option<usize>, Vec<usize>), String> {
        let names: Vec<&str> = heading.split(',').collect();
        ColumnRoles::of(&names).map(|it| (it.image, it.label, it.classes))
    }

    #[test]
    fn a_number_in_a_heading_is_only_a_number() {
        for heading in ["image,label,class18446744073709551615", "image,class7,class18446744073709551615"] {
            told(heading).unwrap_err();
        }
    }

    #[test]
    fn names_tell_the_prediction_from_the_label() {
        for (heading, expected) in [
            ("image,class", (0, None, vec![1])),
            ("image,label,prediction", (0, Some(1), vec![2])),
            ("image,prediction,label", (0, Some(2), vec![1])),
            ("filename,true,pred", (0, Some(1), vec![2])),
            ("Y True,Y Pred,File Name", (2, Some(0), vec![1])),
            (",image,label,prediction,prob", (1, Some(2), vec![3])),
            ("id,path,ground-truth,pred_class", (1, Some(2), vec![3])),
            ("name,target,pred_1,pred_0", (0, Some(1), vec![3, 2])),
            ("image,label,class1,class2,class3,class4,class5,logit1", (0, Some(1), vec![2, 3, 4, 5, 6])),
            ("image,class1,prob1,class2,prob2", (0, None, vec![1, 3])),
            ("image,c1,c2,c3,c4,c5", (0, None, vec![1, 2, 3, 4, 5])),
            // What is called a prediction is one, whatever stands beside it.
            ("image,prediction,class,note", (0, None, vec![1])),
        ] {
            assert_eq!(told(heading), Ok(expected), "{heading}");
        }
    }

    #[test]
    fn what_cannot_be_told_is_refused_with_the_names() {
        for (heading, reason) in [
            ("image,label", "none says that it is the prediction"),
            ("image,guess", "none says that it is the prediction"),
            ("image,label,class", "it cannot be told which is the prediction"),
            ("image,class,guess", "it cannot be told which is the prediction"),
            ("image,class,class_id", "it cannot be told which is the prediction"),
            ("image,pred,prediction", "it cannot be told which is the prediction"),
            ("image,pred,top1,top2", "it cannot be told which is the prediction"),
            ("image,top1,top5", "do not count up from 1"),
            ("image,top2,top3", "do not count up from 1"),
            ("image,class1,pred1", "do not count up from 1"),
            ("image,label,true,pred", "more than one may be the label"),
            ("image,file,pred", "more than one may be the image"),
            ("label,pred", "it cannot be told which is the image"),
            ("image,1,2,3", "none says that it is the prediction"),
        ] {
            let error = told(heading).unwrap_err();
            assert!(error.contains(reason) && error.contains("name the image `image`"), "{heading}: {error}");
            let first = heading.split(',').next().unwrap();
            assert!(error.contains(&format!("of the columns `{first}`")), "{error}");
        }
    }
}
