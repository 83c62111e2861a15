use torsade_testing::MemoryReactor;
#[test]
fn smoke() {
    let mut reactor = MemoryReactor::new();
    assert_eq!(reactor.block_on(async { 4 }), 4);
}
