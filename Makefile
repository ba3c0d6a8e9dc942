.PHONY: run build test bench format docs clean

run: build        ## build in release mode and start the server
	.build/release/rest-auth serve

build:            ## the binary, at .build/release/rest-auth
	dev/build

test:             ## everything that must hold
	dev/test

bench:            ## measure against peers, on this machine
	dev/bench

format:           ## bring the sources into the one form
	swift format --in-place --recursive Package.swift Sources Tests Examples Benchmarks/Package.swift Benchmarks/Sources

docs:             ## the documentation of the public modules
	dev/docs

clean:
	rm -rf .build Benchmarks/.build Examples/Notes/.build
