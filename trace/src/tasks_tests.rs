use super::*;

fn read(text: &str) -> Result<Vec<Session>, String> {
    let dir = std::env::temp_dir().join(format!(
        "nbos-trace-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    ));
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join("t.csv");
    std::fs::write(&path, text).unwrap();
    let outcome = read_tasks(&path).map_err(|error| {
        assert_eq!(error.code(), "NB0137");
        error.to_string().replace(&path.display().to_string(), "T")
    });
    std::fs::remove_dir_all(&dir).unwrap();
    outcome
}

fn cell(gpus: u32, submit: f64, duration: f64) -> Cell {
    Cell {
        gpus,
        submit: Duration::from_secs_f64(submit * 60.0),
        duration: Duration::from_secs_f64(duration * 60.0),
    }
}

#[test]
fn a_drop_in_time_begins_a_session() {
    let text = "job_id,num_gpu,submit_time,iterations,model_name,duration,interval\n\
                0,1,40,0,resnet,2,0\n1,4,33,0,vgg,3,0\n2,4,33,0,vgg,0.5,0\n3,8,50,0,vgg,1,0\n4,1,0,0,vgg,1,0\n";
    let sessions = read(text).unwrap();
    let cells: Vec<_> = sessions.iter().map(|session| session.cells.clone()).collect();
    assert_eq!(
        cells,
        [
            vec![cell(1, 40.0, 2.0)],
            vec![cell(4, 33.0, 3.0), cell(4, 33.0, 0.5), cell(8, 50.0, 1.0)],
            vec![cell(1, 0.0, 1.0)],
        ]
    );
    assert_eq!((sessions[1].number, sessions[1].gpus), (1, 8));
}

#[test]
fn columns_are_found_by_name() {
    let sessions = read("duration, submit_time ,num_gpu\r\n2,1,0\r\n").unwrap();
    assert_eq!(sessions[0].cells, [cell(0, 1.0, 2.0)]);
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    for (text, message) in [
        ("", "the trace T holds no task"),
        ("num_gpu,submit_time,duration\n", "the trace T holds no task"),
        (
            "a,submit_time,duration\n1,1,1\n",
            "the trace T has no column `num_gpu`; its first line must name num_gpu, submit_time and duration, and has: a, submit_time, duration",
        ),
        (
            "num_gpu,submit_time,duration\n1,1,1\n1,-2,1\n",
            "T, line 3: submit_time is negative: -2",
        ),
        (
            "num_gpu,submit_time,duration\n1,1,soon\n",
            "T, line 2: duration is `soon`, not a number of minutes",
        ),
        (
            "num_gpu,submit_time,duration\n1,1,NaN\n",
            "T, line 2: duration is out of range: NaN",
        ),
        (
            "num_gpu,submit_time,duration\n-1,1,1\n",
            "T, line 2: num_gpu is `-1`, not a number from 0 to 1024",
        ),
        (
            "num_gpu,submit_time,duration\n1,1,1\n1,2\n",
            "T, line 3: 2 columns where the first line has 3",
        ),
        (
            "num_gpu,submit_time,duration\n1,1,1e300\n",
            "T, line 2: duration is out of range: 1e300",
        ),
    ] {
        assert_eq!(read(text), Err(message.to_owned()), "{text}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let error = read_tasks(Path::new("/no/such/trace.csv")).unwrap_err();
    assert_eq!(error.to_string(), "cannot read the trace /no/such/trace.csv");
    assert_eq!(error.code(), "NB0137");
}
