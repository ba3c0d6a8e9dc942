.PHONY: run help build install uninstall check test soak bench format docs clean

run: build        ## build in release mode and start the server
	.build/release/rest-auth serve

help:             ## this list
	@grep -E '^[a-z]+:.*## ' Makefile | sed 's/:[^#]*## /\t/' | expand -t 10

build:            ## the binary, at .build/release/rest-auth
	dev/build

install:          ## what was built, its manual page and a unit of systemd, below PREFIX (/usr/local)
	dev/deploy install

uninstall:        ## take them away again
	dev/deploy uninstall

check:            ## an answer in a minute: form, build, core, SQLite, routes
	dev/check

test:             ## everything that must hold
	dev/test

soak:             ## the tests at their full length
	dev/soak

bench:            ## measure against peers, on this machine
	dev/bench

format:           ## bring the sources into the one form
	swift format --in-place --parallel --recursive Package.swift Sources Tests Examples Benchmarks/Package.swift Benchmarks/Sources

docs:             ## the documentation of the public modules
	dev/docs

clean:            ## remove everything that was built
	rm -rf .build Benchmarks/.build
