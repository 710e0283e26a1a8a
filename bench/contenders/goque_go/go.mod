module bench

go 1.23

require github.com/ruko1202/goque v0.3.0
