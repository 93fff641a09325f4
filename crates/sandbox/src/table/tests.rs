use super::*;
use crate::catalog::Catalog;
use crate::schema::recorded::answers;

fn created(object: &Value) -> Timestamp {
    object["metadata"]["creationTimestamp"].as_str().unwrap().parse().unwrap()
}

#[test]
fn columns_and_cells_are_those_of_a_real_server() {
    let mut kinds = Vec::new();
    for answer in answers() {
        let options = TableOptions { include_object: IncludeObject::None, ..TableOptions::default() };
        let table = render(
            answer.resource(),
            std::slice::from_ref(&answer.stored),
            created(&answer.stored),
            &options,
        );
        let columns: Vec<(String, String, String, i32)> = table["columnDefinitions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|column| {
                let text = |key: &str| column[key].as_str().unwrap().to_owned();
                let priority = i32::try_from(column["priority"].as_i64().unwrap()).unwrap();
                (text("name"), text("type"), text("format"), priority)
            })
            .collect();
        assert_eq!(columns, answer.columns, "{}", answer.name());

        // The recorded age is that of the second in which it was recorded; its format has a table of its own.
        let age = columns.iter().position(|(name, ..)| name == "Age");
        let mut row = table["rows"][0].clone();
        let mut expected = answer.row.clone();
        if let Some(age) = age {
            assert_eq!(row["cells"][age], "0s", "{}", answer.name());
            row["cells"][age] = Value::Null;
            expected["cells"][age] = Value::Null;
        }
        assert_eq!(row, expected, "{}", answer.name());
        kinds.push(answer.resource().plural);
    }
    for kind in Catalog::get().iter().filter(|kind| kind.storage == crate::catalog::Storage::Stored) {
        assert!(kinds.contains(&kind.plural), "no recorded row of {}", kind.plural);
    }
}

#[test]
fn a_table_carries_what_was_asked_for() {
    let pods = Catalog::get().resource("", "v1", "pods").unwrap();
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": "web", "creationTimestamp": "2026-11-22T08:00:00Z" },
        "spec": { "containers": [{ "name": "a", "image": "b" }] },
        "status": { "phase": "Pending" },
    });
    let now = "2026-11-22T08:01:30Z".parse().unwrap();
    let table = |options: TableOptions| render(pods, std::slice::from_ref(&pod), now, &options);

    let list_meta = json!({ "resourceVersion": "7", "remainingItemCount": 2 });
    let plain = table(TableOptions { list_meta: list_meta.clone(), ..TableOptions::default() });
    assert_eq!((&plain["kind"], &plain["apiVersion"]), (&"Table".into(), &"meta.k8s.io/v1".into()));
    assert_eq!(plain["metadata"], list_meta);
    let cells = plain["rows"][0]["cells"].as_array().unwrap();
    assert_eq!(cells[..5], ["web", "0/1", "Pending", "0", "90s"]);
    assert_eq!(
        plain["rows"][0]["object"],
        json!({ "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": pod["metadata"] })
    );

    let whole = table(TableOptions { include_object: IncludeObject::Object, ..TableOptions::default() });
    assert_eq!(whole["rows"][0]["object"], pod);
    let bare = TableOptions {
        include_object: IncludeObject::None,
        no_headers: true,
        version: "v1beta1".to_owned(),
        ..TableOptions::default()
    };
    let bare = table(bare);
    assert_eq!(bare["apiVersion"], "meta.k8s.io/v1beta1");
    assert_eq!((&bare["columnDefinitions"], &bare["rows"][0]["object"]), (&Value::Null, &Value::Null));
}

#[test]
fn a_pod_that_is_being_deleted_is_terminating_unless_it_has_ended() {
    let reason = |phase: &str, why: &str| {
        let pod = json!({
            "metadata": { "name": "web", "deletionTimestamp": "2026-11-22T08:00:00Z" },
            "status": { "phase": phase, "reason": why },
        });
        pods::cells(&pod, "2026-11-22T08:00:00Z".parse().unwrap())[2].clone()
    };
    assert_eq!(reason("Running", ""), "Terminating");
    assert_eq!(reason("Running", "NodeLost"), "Unknown");
    assert_eq!(reason("Succeeded", ""), "Succeeded");
}

#[test]
fn an_object_of_odd_shape_has_a_row_all_the_same() {
    let now = "2026-11-22T08:00:00Z".parse().unwrap();
    for kind in Catalog::get().iter() {
        for odd in [json!({}), json!({ "metadata": [], "spec": 1, "status": "x" }), Value::Null] {
            let table = render(kind, &[odd], now, &TableOptions::default());
            let columns = table["columnDefinitions"].as_array().unwrap().len();
            assert_eq!(table["rows"][0]["cells"].as_array().unwrap().len(), columns, "{}", kind.plural);
        }
    }
}
