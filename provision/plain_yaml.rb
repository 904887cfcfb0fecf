# The language of lab.yml: the plain part of YAML, which every reader takes for the same.
# lab/config/plain_yaml.py has the same rules for the tasks, tells why, and says the same of each mistake.
require 'psych'

module PlainYaml
  DEEPEST = 8

  NUMBER = /(?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,9})?/
  ADDRESS = %r{[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?:[/:][0-9]{1,5})?}
  TEXT = %r{(?:[A-Za-z]|\.{0,2}/)[^\n]*}
  PLAIN = /\A(?:#{NUMBER}|#{ADDRESS}|#{TEXT})\z/
  NOT_TEXT = /\A(?:y|n|yes|no|on|off|true|false|null)\z/i
  UNSEEN = /[^\n\u0020-\u007e\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\u{10000}-\u{10ffff}]/

  # What of a text is not plain YAML: one message per mistake, each with its line.
  class NotPlain < StandardError
    attr_reader :mistakes

    def initialize(mistakes)
      super(mistakes.join("\n"))
      @mistakes = mistakes
    end
  end

  # The value that a file holds. Raises NotPlain.
  def self.load(content)
    text = text_of(content)
    handler = Handler.new
    begin
      Psych::Parser.new(handler).parse(text)
    rescue Psych::SyntaxError => e
      # Its own line may be where the list or mapping around the mistake begins.
      line = [[e.line, handler.number].max, text.lines.size].min
      raise NotPlain, ["line #{line}: not YAML: #{[e.problem, e.context].compact.join(' ')}"]
    end
    raise NotPlain, handler.mistakes if handler.mistakes.any?

    Psych.safe_load(text)
  end

  def self.text_of(content)
    text = content.dup.force_encoding(Encoding::UTF_8)
    unless text.valid_encoding?
      number = text.lines.find_index { |line| !line.valid_encoding? } + 1
      byte = text.each_char.find { |character| !character.valid_encoding? }.bytes.first
      raise NotPlain, [format('line %d: the byte 0x%02x is not UTF-8: save it as UTF-8', number, byte)]
    end
    text = text.gsub("\r\n", "\n")
    before, found, = text.partition(UNSEEN)
    return text if found.empty?

    what = found == "\t" ? 'a tab' : format('the character U+%04X', found.ord)
    raise NotPlain, ["line #{before.count("\n") + 1}: #{what} may be read in more than one way: use blanks"]
  end

  # Listens to the parser. Each list and mapping that is open has the lines of its keys, or nil.
  class Handler < Psych::Handler
    Open = Struct.new(:lines, :at_key)

    attr_reader :mistakes, :number

    def initialize
      super
      @mistakes = []
      @number = 1
      @documents = 0
      @within = []
    end

    def event_location(line, *) = @number = line + 1

    def start_document(version, tags, _implicit)
      @documents += 1
      mistake 'a directive (%) is not plain YAML: remove it' if version.any? || tags.any?
      mistake 'a second document begins: keep one' if @documents == 2
    end

    def alias(_anchor)
      mistake 'an alias (*) is not plain YAML: write out what it stands for'
      node(nil)
    end

    def scalar(value, anchor, tag, _plain, _quoted, style)
      properties(anchor, tag)
      check_scalar(value, style)
      node(value, plain: style == Psych::Nodes::Scalar::PLAIN)
    end

    def start_sequence(anchor, tag, *) = open(Open.new(nil, false), anchor, tag)

    def start_mapping(anchor, tag, *) = open(Open.new({}, true), anchor, tag)

    def end_sequence = @within.pop

    def end_mapping = @within.pop

    private

    def mistake(text) = @mistakes << "line #{@number}: #{text}"

    def open(collection, anchor, tag)
      properties(anchor, tag)
      node(nil)
      @within.push(collection)
      return unless @within.size > DEEPEST

      mistake "more than #{DEEPEST} lists and mappings in one another"
      raise NotPlain, @mistakes
    end

    def properties(anchor, tag)
      mistake 'an anchor (&) is not plain YAML: remove it' if anchor
      mistake 'a tag (!) is not plain YAML: remove it' if tag
    end

    def check_scalar(value, style)
      case style
      when Psych::Nodes::Scalar::LITERAL then mistake 'a block of text (|) is not plain YAML: write it in quotes'
      when Psych::Nodes::Scalar::FOLDED then mistake 'a block of text (>) is not plain YAML: write it in quotes'
      else
        if value == '<<'
          mistake 'a merge key (<<) is not plain YAML: write out what it stands for'
        elsif style == Psych::Nodes::Scalar::PLAIN
          check_plain(value)
        else
          check_quoted(value)
        end
      end
    end

    def check_plain(value)
      return if value.empty? || (PLAIN.match?(value) && !NOT_TEXT.match?(value))

      mistake "#{shown(value)} may be read in more than one way: " \
              'write a number as 11 or 0.5, and any other value in quotes'
    end

    def check_quoted(value)
      return unless (found = value[UNSEEN] || value["\n"])

      mistake format('a value in quotes holds the character U+%04X: write it without', found.ord)
    end

    # name: nil for what can't be one.
    def node(name, plain: false)
      return unless (lines = @within.last&.lines)

      check_key(name, plain, lines) if @within.last.at_key
      @within.last.at_key = !@within.last.at_key
    end

    def check_key(name, plain, lines)
      if name.nil? || name.empty?
        mistake 'a key should be one name'
      elsif plain && name.match?(/\A#{NUMBER}\z/)
        mistake "#{shown(name)} is a number, and a key should be a name: write it in quotes"
      elsif lines.key?(name)
        mistake "#{shown(name)} is there already, in line #{lines[name]}: rename or remove one"
      else
        lines[name] = @number
      end
    end

    def shown(value) = value[0, 40].encode('US-ASCII', undef: :replace, replace: '?').split.join(' ')
  end
end
