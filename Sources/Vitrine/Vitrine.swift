import Hummingbird
import Crypto
import ArgumentParser
import NIOHTTP1
@main struct V { static func main() {} }
