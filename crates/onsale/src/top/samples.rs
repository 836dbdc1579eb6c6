//! Samples of the Prometheus text format, as far as a node writes it: no escaped quotes matter here.

/// What a node measured, at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Samples(Vec<Sample>);

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sample {
    name: String,
    labels: Vec<(String, String)>,
    pub(super) value: f64,
}

impl Sample {
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(label, _)| label == name).map(|(_, value)| value.as_str())
    }
}

impl Samples {
    /// Lines that are not samples are passed over.
    pub(super) fn parse(text: &str) -> Self {
        Self(text.lines().filter(|line| !line.starts_with('#')).filter_map(parse_line).collect())
    }

    /// The samples of a name that have all these labels.
    pub(super) fn of<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&'a str, &'a str)],
    ) -> impl Iterator<Item = &'a Sample> {
        self.0.iter().filter(move |sample| {
            sample.name == name && labels.iter().all(|(label, value)| sample.label(label) == Some(*value))
        })
    }

    pub(super) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.of(name, labels).map(|sample| sample.value).sum()
    }
}

fn parse_line(line: &str) -> Option<Sample> {
    let (series, value) = line.rsplit_once(' ')?;
    let value = value.parse().ok()?;
    let (name, labels) = match series.split_once('{') {
        None => (series, Vec::new()),
        Some((name, labels)) => (name, parse_labels(labels.strip_suffix('}')?)?),
    };
    Some(Sample { name: name.to_owned(), labels, value })
}

fn parse_labels(mut text: &str) -> Option<Vec<(String, String)>> {
    let mut labels = Vec::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"")?;
        let (value, rest) = rest.split_once('"')?;
        labels.push((name.to_owned(), value.to_owned()));
        text = rest.strip_prefix(',').unwrap_or(rest);
    }
    Some(labels)
}

/// What was observed in a histogram between two moments: (upper bound, how many at most that), the
/// bounds ascending.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Histogram(Vec<(f64, f64)>);

impl Histogram {
    /// Adds what `name` has counted with these labels between `before` and `now`.
    pub(super) fn add(&mut self, name: &str, labels: &[(&str, &str)], before: &Samples, now: &Samples) {
        let bucket = format!("{name}_bucket");
        for sample in now.of(&bucket, labels) {
            let Some(bound) = sample.label("le").and_then(|le| le.parse::<f64>().ok()) else { continue };
            let same = |old: &&Sample| old.labels == sample.labels;
            let old = before.of(&bucket, labels).find(same).map_or(0.0, |old| old.value);
            self.add_count(bound, (sample.value - old).max(0.0));
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|&(bound, count)| self.add_count(bound, count));
    }

    fn add_count(&mut self, bound: f64, count: f64) {
        let at = self.0.partition_point(|(known, _)| *known < bound);
        match self.0.get_mut(at) {
            Some((known, total)) if *known == bound => *total += count,
            _ => self.0.insert(at, (bound, count)),
        }
    }

    /// The value that this share of the observations does not exceed, interpolated within its bucket as
    /// Prometheus does. None if there are none.
    pub(super) fn quantile(&self, share: f64) -> Option<f64> {
        let total = self.0.last()?.1;
        if total <= 0.0 {
            return None;
        }
        let wanted = share * total;
        let at = self.0.iter().position(|(_, count)| *count >= wanted)?;
        let (bound, count) = self.0[at];
        let (lower, below) = if at == 0 { (0.0, 0.0) } else { self.0[at - 1] };
        if bound.is_infinite() {
            return Some(lower);
        }
        Some(lower + (bound - lower) * (wanted - below) / (count - below).max(f64::MIN_POSITIVE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_read_and_summed_by_label() {
        let samples = Samples::parse(
            "# HELP a b\n# TYPE a counter\na{x=\"1\",y=\"/p/{id}\"} 2\na{x=\"2\",y=\"q\"} 3.5\nb 7\n\nbroken\n",
        );
        assert_eq!(samples.sum("a", &[]), 5.5);
        assert_eq!(samples.sum("a", &[("y", "/p/{id}")]), 2.0);
        assert_eq!(samples.sum("b", &[]), 7.0);
        assert_eq!(samples.sum("c", &[]), 0.0);
    }

    #[test]
    fn a_quantile_is_of_what_happened_in_between() {
        let at = |fast: u32, slow: u32| {
            let all = fast + slow;
            Samples::parse(&format!(
                "t_bucket{{le=\"0.1\"}} {fast}\nt_bucket{{le=\"1\"}} {all}\nt_bucket{{le=\"+Inf\"}} {all}\n"
            ))
        };
        let mut between = Histogram::default();
        between.add("t", &[], &at(1_000, 0), &at(1_050, 50));
        assert!((between.quantile(0.25).unwrap() - 0.05).abs() < 1e-9);
        assert!((between.quantile(0.75).unwrap() - 0.55).abs() < 1e-9);
        let mut nothing = Histogram::default();
        nothing.add("t", &[], &at(5, 5), &at(5, 5));
        assert_eq!(nothing.quantile(0.5), None);
        between.merge(&nothing);
        assert!((between.quantile(0.25).unwrap() - 0.05).abs() < 1e-9);
    }
}
