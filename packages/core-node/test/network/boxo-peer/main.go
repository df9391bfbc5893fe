// A small IPFS node made of boxo, the library that Kubo's bitswap is: it keeps blocks in memory, and is told what to do
// by lines on its standard input. Each is answered by one line.
//
//	connect <multiaddr>   ok
//	add <path> <0|1>      <cid>: the file, as Kubo adds it with that CID version
//	cat <cid>             <size> <sha256>: of the file, whose missing blocks are fetched by bitswap
//
// What goes wrong is answered by "error: …". To have the tests run against it: go build -o <a folder of the PATH> .
package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/ipfs/boxo/bitswap"
	"github.com/ipfs/boxo/bitswap/network/bsnet"
	"github.com/ipfs/boxo/blockservice"
	"github.com/ipfs/boxo/blockstore"
	chunk "github.com/ipfs/boxo/chunker"
	"github.com/ipfs/boxo/ipld/merkledag"
	"github.com/ipfs/boxo/ipld/unixfs/importer/balanced"
	"github.com/ipfs/boxo/ipld/unixfs/importer/helpers"
	unixfs "github.com/ipfs/boxo/ipld/unixfs/io"
	"github.com/ipfs/go-cid"
	"github.com/ipfs/go-datastore"
	dssync "github.com/ipfs/go-datastore/sync"
	ipld "github.com/ipfs/go-ipld-format"
	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
)

const patience = 20 * time.Second

func main() {
	ctx := context.Background()
	node, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"))
	must(err)
	blocks := blockstore.NewBlockstore(dssync.MutexWrap(datastore.NewMapDatastore()))
	exchange := bitswap.New(ctx, bsnet.NewFromIpfsHost(node), nil, blocks)
	dag := merkledag.NewDAGService(blockservice.New(blocks, exchange))
	fmt.Printf("%s/p2p/%s\n", node.Addrs()[0], node.ID())
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		answer, err := obey(ctx, node, dag, strings.Fields(lines.Text()))
		if err != nil {
			answer = "error: " + err.Error()
		}
		fmt.Println(answer)
	}
}

func obey(ctx context.Context, node host.Host, dag ipld.DAGService, words []string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	switch {
	case len(words) == 2 && words[0] == "connect":
		return connect(ctx, node, words[1])
	case len(words) == 3 && words[0] == "add":
		return add(ctx, dag, words[1], words[2] == "1")
	case len(words) == 2 && words[0] == "cat":
		return cat(ctx, dag, words[1])
	}
	return "", fmt.Errorf("no such command: %v", words)
}

func connect(ctx context.Context, node host.Host, address string) (string, error) {
	info, err := peer.AddrInfoFromString(address)
	if err != nil {
		return "", err
	}
	return "ok", node.Connect(ctx, *info)
}

func add(ctx context.Context, dag ipld.DAGService, path string, isVersion1 bool) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	params := helpers.DagBuilderParams{Dagserv: dag, Maxlinks: helpers.DefaultLinksPerBlock, RawLeaves: isVersion1}
	params.CidBuilder = merkledag.V0CidPrefix()
	if isVersion1 {
		params.CidBuilder = merkledag.V1CidPrefix()
	}
	builder, err := params.New(chunk.NewSizeSplitter(file, 262144))
	if err != nil {
		return "", err
	}
	root, err := balanced.Layout(builder)
	if err != nil {
		return "", err
	}
	return root.Cid().String(), nil
}

func cat(ctx context.Context, dag ipld.DAGService, text string) (string, error) {
	id, err := cid.Decode(text)
	if err != nil {
		return "", err
	}
	session := merkledag.NewSession(ctx, dag)
	root, err := session.Get(ctx, id)
	if err != nil {
		return "", err
	}
	file, err := unixfs.NewDagReader(ctx, root, session)
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	size, err := io.Copy(hash, file)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d %x", size, hash.Sum(nil)), nil
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
