// A library to load.
extern "C" int answer() { return 42; }
